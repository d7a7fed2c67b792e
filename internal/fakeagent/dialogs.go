package fakeagent

import (
	"strconv"
	"strings"
)

// A dialog is a menu that stands in place of the input box.
type dialog struct {
	title    []string
	options  []string
	sel      int // the highlighted option
	numbered bool
	footer   string
}

// cancelled is the choice after Escape.
const cancelled = -1

// press applies a key. It returns the choice, an index in options or
// cancelled, once one is made.
func (d *dialog) press(k key) (choice int, done bool) {
	switch k.name {
	case "Up":
		d.sel = (d.sel + len(d.options) - 1) % len(d.options)
	case "Down":
		d.sel = (d.sel + 1) % len(d.options)
	case "Enter":
		return d.sel, true
	case "Escape", "C-c":
		return cancelled, true
	case "Text":
		if n, err := strconv.Atoi(k.text); d.numbered && err == nil && n >= 1 && n <= len(d.options) {
			return n - 1, true
		}
	}
	return 0, false
}

// rows is the dialog as text.
func (d *dialog) rows() []string {
	rows := append([]string(nil), d.title...)
	for i, o := range d.options {
		if d.numbered {
			o = strconv.Itoa(i+1) + ". " + o
		}
		if i == d.sel {
			rows = append(rows, " ❯ "+o)
		} else {
			rows = append(rows, "   "+o)
		}
	}
	return append(rows, "", " "+d.footer)
}

func themeDialog() *dialog {
	return &dialog{
		title: []string{
			"Welcome to Claude Code", "",
			" Let's get started.", "",
			" Choose the text style that looks best with your terminal",
			" To change this later, run /theme", "",
		},
		options:  []string{"Auto (match terminal)", "Dark mode", "Light mode"},
		sel:      1,
		numbered: true,
		footer:   "Enter to confirm",
	}
}

// trustDialog asks about a folder. It also returns the index of the option
// that trusts it.
func trustDialog(dir string, no bool) (d *dialog, yes int) {
	d = &dialog{
		title: []string{
			" Accessing workspace:", "",
			" " + dir, "",
			" Quick safety check: Is this a project you created or one you trust?", "",
			" Claude Code'll be able to read, edit, and execute files here.", "",
			" Security guide", "",
		},
		options:  []string{"Yes, I trust this folder", "No, exit"},
		numbered: true,
		footer:   "Enter to confirm · Esc to cancel",
	}
	if no {
		d.options[0], d.options[1] = d.options[1], d.options[0]
		d.numbered, yes = false, 1
	}
	return d, yes
}

func permissionDialog(t *Tool) *dialog {
	d := &dialog{
		title:    []string{" Bash command", ""},
		options:  t.Options,
		sel:      t.Highlighted,
		numbered: true,
		footer:   "Esc to cancel",
	}
	for line := range strings.SplitSeq(t.command(), "\n") {
		d.title = append(d.title, "   "+line)
	}
	words := t.Words
	if words == "" {
		words = "Do you want to proceed?"
	}
	d.title = append(d.title, "", " "+words)
	if len(d.options) == 0 {
		d.options = []string{"Yes", "Yes, and don't ask again for this command", "No"}
	}
	return d
}

// settingsDialog is the dialog of 2.1.104. Its second option continues.
func settingsDialog(fault []string) *dialog {
	d := &dialog{
		title:    []string{"  Settings Error", ""},
		options:  []string{"Exit and fix manually", "Continue without these settings"},
		numbered: true,
		footer:   "Enter to confirm · Esc to cancel",
	}
	for _, row := range fault {
		d.title = append(d.title, "  "+row)
	}
	d.title = append(d.title, "", "  Files with errors are skipped entirely, not just the invalid settings.", "")
	return d
}

func offerDialog() *dialog {
	return &dialog{
		title:   []string{" Try the new thing?", ""},
		options: []string{"Maybe later", "Now"},
		footer:  "Enter to confirm · Esc to cancel",
	}
}

func rewindDialog() *dialog {
	return &dialog{
		title:   []string{" Rewind", "", " Restore the conversation to the point before…", ""},
		options: []string{"(current)"},
		footer:  "Enter to continue · Esc to cancel",
	}
}

func unknownDialog() *dialog {
	return &dialog{
		title:   []string{" A survey about your weather", "", " How is it outside?"},
		options: []string{"Fine", "Wet"},
		footer:  "Enter to answer",
	}
}
