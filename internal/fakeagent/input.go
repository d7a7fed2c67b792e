package fakeagent

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// An action is what a key asks of the program beyond the line itself.
type action int

const (
	actNone action = iota
	actSubmit
	actEditor
	actHelp
	actEscape
	actInterrupt // Ctrl+C
	actEOF       // Ctrl+D on an empty line
)

// A line is the input line.
type line struct {
	text []rune
	pos  int // index in text

	// bash is set by a "!" typed or pasted at the start of an empty line: the
	// text is then a shell command. Text from the editor never sets it
	// (2.1.104, 2.1.158, 2.1.330).
	bash bool

	// modern makes value put long pastes between tags and drop invisible
	// characters.
	modern bool

	// pastes are the texts behind the placeholders of long pastes.
	pastes []paste
}

type paste struct{ mark, text string }

// press applies a key to the line.
func (l *line) press(k key) action {
	switch k.name {
	case "Text":
		if k.text == "?" && l.empty() {
			return actHelp // typed only: a pasted "?" is text
		}
		l.insert(k.text)
	case "Paste":
		l.paste(k.text)
	case "Tab":
		// Completes in the real agent; there is nothing to complete here.
	case "Enter":
		if l.pos > 0 && l.text[l.pos-1] == '\\' {
			l.delete()
			l.insert("\n")
			return actNone
		}
		if l.suggesting() {
			l.insert(" ")
			return actNone
		}
		return actSubmit
	case "M-Enter", "C-j":
		l.insert("\n")
	case "BSpace":
		if l.pos == 0 {
			l.bash = false
		}
		l.delete()
	case "C-u":
		l.text, l.pos = append([]rune(nil), l.text[l.pos:]...), 0
	case "Left", "C-b":
		l.pos = max(0, l.pos-1)
	case "Right", "C-f":
		l.pos = min(len(l.text), l.pos+1)
	case "Home", "C-a":
		l.pos = 0
	case "End", "C-e":
		l.pos = len(l.text)
	case "Escape":
		return actEscape
	case "C-c":
		return actInterrupt
	case "C-d":
		if l.empty() {
			return actEOF
		}
	case "C-g":
		return actEditor
	}
	return actNone
}

func (l *line) empty() bool { return len(l.text) == 0 && !l.bash }

func (l *line) insert(s string) {
	if l.empty() && strings.HasPrefix(s, "!") {
		l.bash, s = true, s[1:]
	}
	l.insertText([]rune(s))
}

// insertText inserts text that is nothing but text.
func (l *line) insertText(r []rune) {
	l.text = append(l.text[:l.pos:l.pos], append(r, l.text[l.pos:]...)...)
	l.pos += len(r)
}

func (l *line) delete() {
	if l.pos > 0 {
		l.text = append(l.text[:l.pos-1], l.text[l.pos:]...)
		l.pos--
	}
}

// pastedLines makes the line ends and tabs of a paste what the real agent
// makes them: newlines, and four spaces.
var pastedLines = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\t", "    ")

// pastedControls are what 2.1.330 drops from a paste: escape sequences and
// control bytes other than the newline.
var pastedControls = regexp.MustCompile(`\x1b\[[0-9;?]*[@-~]|[\x00-\x09\x0b-\x1f\x7f]`)

// cleanPaste makes of pasted bytes what the real agent makes of them.
func cleanPaste(s string) string {
	return pastedControls.ReplaceAllString(pastedLines.Replace(s), "")
}

// paste inserts pasted text, behind a placeholder if it has more than 800
// bytes or three lines.
func (l *line) paste(s string) {
	s = cleanPaste(s)
	n := strings.Count(s, "\n")
	if n <= 2 && len(s) <= 800 {
		l.insert(s)
		return
	}
	if l.empty() && strings.HasPrefix(s, "!") {
		l.bash, s = true, s[1:]
	}
	mark := fmt.Sprintf("[Pasted text #%d]", len(l.pastes)+1)
	if n > 0 {
		mark = fmt.Sprintf("[Pasted text #%d +%d lines]", len(l.pastes)+1, n)
	}
	l.pastes = append(l.pastes, paste{mark, s})
	l.insert(mark)
}

// value is the text to be sent, with every placeholder replaced by what it
// stands for.
func (l *line) value() string {
	var out strings.Builder
	rest := string(l.text)
	// One pass from left to right, so that a pasted text that quotes a
	// placeholder is not expanded itself.
	for rest != "" {
		at, hit := len(rest), paste{}
		for _, p := range l.pastes {
			if i := strings.Index(rest, p.mark); i >= 0 && i < at {
				at, hit = i, p
			}
		}
		out.WriteString(rest[:at])
		rest = rest[at+len(hit.mark):]
		switch {
		case hit.mark == "":
		case l.modern && !l.bash:
			out.WriteString(tagged(hit.text, out.Len() == 0, rest == ""))
		default:
			out.WriteString(hit.text)
		}
	}
	if l.modern {
		return strings.Map(dropInvisible, out.String())
	}
	return out.String()
}

// tagged is a long paste as 2.1.330 sends it. The slash tag repeats the id
// there, and blank lines part it from text before and after.
func tagged(text string, first, last bool) string {
	s := "<pasted_content id=\"fa4e\">\n" + text + "\n</pasted_content id=\"fa4e\">"
	if !first {
		s = "\n\n" + s
	}
	if !last {
		s += "\n\n"
	}
	return s
}

// dropInvisible drops the characters that 2.1.330 takes out of the input. The
// joiners of emoji stay.
func dropInvisible(r rune) rune {
	switch {
	case r == '\n', r == '\t', r == '\u200d', r == '\ufe0f':
		return r
	case r == '\u2028', r == '\u2029', unicode.In(r, unicode.Cc, unicode.Cf,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return -1
	}
	return r
}

// mentionAtEnd is a text for which the real agent shows a list of files, whose
// first one the next Enter would take.
var mentionAtEnd = regexp.MustCompile(`(^|\s)@\S+$`)

// suggesting reports whether Enter takes a suggestion instead of submitting.
func (l *line) suggesting() bool {
	return !l.bash && l.pos == len(l.text) && mentionAtEnd.MatchString(visible(l))
}

// set replaces the line by the text an editor left. One newline at its end is
// the editor's, not the text's.
func (l *line) set(s string) {
	l.clear()
	l.insertText([]rune(strings.TrimSuffix(s, "\n")))
}

func (l *line) clear() { *l = line{modern: l.modern} }
