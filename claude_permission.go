package tuiturn

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/tuiturn/tuiturn/transcript"
)

// dialog reads a question about a permission. Which options say yes and no, and
// no more than that, goes by whole words that were seen: one that is not known
// does neither.
func (c Claude) dialog(screen string) *dialog {
	rows := strings.Split(strings.TrimRight(screen, "\n"), "\n")
	if _, ok := inputLine(rows); ok {
		return nil
	}
	m := findMenu(rows)
	if m == nil || m.blocked.Kind != "permission" {
		return nil
	}
	d := &dialog{
		BlockedError: m.blocked,
		text:         strings.Join(rows[m.top:m.at[0]], "\n"),
		below:        strings.Join(rows[m.at[0]:], "\n"),
		whole:        isRule(rows[m.top]),
		allow:        -1,
		deny:         -1,
	}
	yes, no := 0, 0
	for i, option := range m.blocked.Options {
		option = strings.ToLower(option)
		switch {
		// Something drawn under a yes could say more.
		case option == "yes" && m.alone(rows, i):
			d.allow = i
			yes++
		case option == "no", strings.HasPrefix(option, "no, and tell claude"):
			d.deny = i
			no++
		case strings.HasPrefix(option, "no, "):
			d.deny = i // with a text of ours in place of "and tell Claude …"
			no++
		}
	}
	if no != 1 {
		d.deny = -1
	}
	if yes != 1 || no != 1 {
		d.allow = -1
	}
	d.amend = strings.Contains(d.below, "Tab to amend")
	d.amending = d.deny >= 0 && !d.amend && strings.HasPrefix(m.blocked.Options[d.deny], "No, ")
	return d
}

// alone tells whether nothing belongs to an option but its row.
func (m *found) alone(rows []string, i int) bool {
	next := m.at[i] + 1
	return next == len(rows) || strings.TrimSpace(rows[next]) == "" || i+1 < len(m.at) && m.at[i+1] == next
}

// claudeDialogs has, for each tool, a word of the dialog's title and the part of
// the input that the dialog shows.
var claudeDialogs = map[string]struct{ title, field string }{
	"Bash":     {"bash", "command"},
	"Write":    {"create|overwrite|write", "file_path"},
	"Edit":     {"edit", "file_path"},
	"Read":     {"read", "file_path"},
	"WebFetch": {"fetch", "url"},
}

// shows tells how much of a tool use a dialog shows, 0 if it is about another
// one. The part that tells must be there, and what the model wrote elsewhere in
// its input does not count.
func (c Claude) shows(d *dialog, use transcript.Block) int {
	known, ok := claudeDialogs[use.Name]
	if !ok {
		name := use.Name
		if i := strings.LastIndex(name, "__"); i >= 0 {
			name = name[i+2:] // a server's
		}
		if !strings.Contains(d.text, name) {
			return 0
		}
		return len(name)
	}
	if d.whole && !d.titled(known.title) {
		return 0
	}
	var input map[string]any
	if json.Unmarshal(use.Input, &input) != nil {
		return 0
	}
	value, _ := input[known.field].(string)
	if known.field == "file_path" {
		value = path.Base(value)
	}
	value = squeeze(value)
	shown := value
	if runes := []rune(value); !d.whole && len(runes) > cutOff {
		shown = string(runes[len(runes)-cutOff:])
	}
	if shown == "" || !strings.Contains(squeeze(d.text), shown) {
		return 0
	}
	return len(value)
}

// cutOff is how many characters at its end tell a command whose beginning is not
// on the screen.
const cutOff = 200

// titled tells whether one of the words stands in the dialog's first row.
func (d *dialog) titled(words string) bool {
	for row := range strings.Lines(d.text) {
		if strings.TrimSpace(row) == "" || isRule(row) {
			continue
		}
		row = strings.ToLower(row)
		for word := range strings.SplitSeq(words, "|") {
			if strings.Contains(row, word) {
				return true
			}
		}
		return false
	}
	return false
}

// foot is the menu and what is below it, else what stands below the last rule:
// the dialog, where there is one. Above it a sign may blink, as 2.1.330 has it
// while it waits.
func (c Claude) foot(screen string) string {
	rows := strings.Split(screen, "\n")
	top := 0
	if m := findMenu(rows); m != nil {
		top = m.top
	} else {
		for top = len(rows) - 1; top > 0 && !isRule(rows[top]); top-- {
		}
	}
	return strings.Join(rows[top:], "\n")
}
