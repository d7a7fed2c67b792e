package tuiturn

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/tuiturn/tuiturn/internal/text"
)

// asksPermission: AskUserQuestion has the hook run for a question of the model's. To
// allow it is to answer with nothing (2.1.104, 2.1.158).
func (c Claude) asksPermission(tool string) bool { return tool != "AskUserQuestion" }

// dialog reads a question about a permission. Whether an option says yes, and no
// more than that, goes by whole words that were seen: one that is not known does
// not.
func (c Claude) dialog(screen string) *dialog {
	rows := strings.Split(strings.TrimRight(screen, "\n"), "\n")
	if _, ok := inputLine(rows); ok {
		return nil
	}
	m := findMenu(rows)
	if m == nil {
		return nil
	}
	d := &dialog{
		BlockedError: m.blocked,
		text:         strings.Join(rows[m.top:m.at[0]], "\n"),
	}
	yes, no := 0, 0
	for i, option := range m.blocked.Options {
		option = strings.ToLower(option)
		switch {
		// Something drawn under a yes could say more.
		case option == "yes" && m.alone(rows, i):
			yes++
		case option == "no", strings.HasPrefix(option, "no, "):
			no++
		}
	}
	d.plain = yes == 1 && no == 1
	return d
}

// alone tells whether nothing belongs to an option but its row.
func (m *found) alone(rows []string, i int) bool {
	next := m.at[i] + 1
	return next == len(rows) || strings.TrimSpace(rows[next]) == "" || i+1 < len(m.at) && m.at[i+1] == next
}

// shows counts the texts of the input that stand in the dialog, squeezed. Of a path
// the last part is enough, and of a long text its end: the rest may be cut off.
func (c Claude) shows(d *dialog, input json.RawMessage) (n int) {
	var fields map[string]any
	json.Unmarshal(input, &fields) // what is no object shows nothing
	shown := text.Squeeze(d.text)
	for _, value := range fields {
		s, _ := value.(string)
		if path.IsAbs(s) {
			s = path.Base(s)
		}
		s = text.Squeeze(s)
		s = s[max(0, len(s)-cutOff):]
		if s != "" && strings.Contains(shown, s) {
			n++
		}
	}
	return n
}

// cutOff is how many bytes at its end tell a text whose beginning is not on the
// screen.
const cutOff = 200

// decide answers as a person's Yes and No do. With a message the model goes on, as
// it does when a person says no and what to do instead; without one the agent stops.
func (c Claude) decide(allow bool, message string) string {
	decision := map[string]any{"behavior": "allow"}
	if !allow {
		decision = map[string]any{"behavior": "deny", "message": rejected, "interrupt": message == ""}
		if message != "" {
			decision["message"] = rejected + " To tell you how to proceed, the user said:\n" + message
		}
	}
	b, err := json.Marshal(map[string]any{"hookSpecificOutput": map[string]any{"hookEventName": "PermissionRequest", "decision": decision}})
	if err != nil {
		panic("tuiturn: " + err.Error()) // there is nothing in it that JSON can't hold
	}
	return string(b)
}

// rejected is what claude tells the model when a person says no.
const rejected = "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, the new_string was NOT written to the file)."

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
