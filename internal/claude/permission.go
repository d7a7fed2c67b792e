package claude

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/text"
)

// Asks reports that a yes lets any tool run but AskUserQuestion. The model asks the
// person with that tool, and the hook runs for it too. A yes would answer the model's
// question with nothing (2.1.104, 2.1.158).
func (c Claude) Asks(tool string) bool { return tool != "AskUserQuestion" }

// plain tells whether exactly one option of a menu says yes and nothing more, and
// exactly one says no. It compares with whole words that were seen. An unknown word
// does not count.
func (m *found) plain(rows []string) bool {
	yes, no := 0, 0
	for i, option := range m.menu.Options {
		option = strings.ToLower(option)
		switch {
		// A text under the yes could say more.
		case option == "yes" && m.alone(rows, i):
			yes++
		case option == "no", strings.HasPrefix(option, "no, "):
			no++
		}
	}
	return yes == 1 && no == 1
}

// alone tells whether an option is one row, with no text of its own below.
func (m *found) alone(rows []string, i int) bool {
	next := m.at[i] + 1
	return next == len(rows) || strings.TrimSpace(rows[next]) == "" || i+1 < len(m.at) && m.at[i+1] == next
}

// Shows counts the texts of the input that the dialog shows, ignoring white space. For
// a path its last part is enough, and for a long text its end: the rest may be cut off.
func (c Claude) Shows(m *agent.Menu, input json.RawMessage) (n int) {
	var fields map[string]any
	json.Unmarshal(input, &fields) // an input that is not an object has no texts
	shown := text.Squeeze(m.Text)
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

// cutOff is the number of bytes at its end that identify a text whose beginning is not
// on the screen.
const cutOff = 200

// Decide returns the answer that a person's Yes or No would give. After a no with a
// message the model goes on, as it does when a person says what to do instead. After a
// no without a message the agent stops.
func (c Claude) Decide(allow bool, message string) string {
	decision := map[string]any{"behavior": "allow"}
	if !allow {
		decision = map[string]any{"behavior": "deny", "message": rejected, "interrupt": message == ""}
		if message != "" {
			decision["message"] = rejected + " To tell you how to proceed, the user said:\n" + message
		}
	}
	b, err := json.Marshal(map[string]any{"hookSpecificOutput": map[string]any{"hookEventName": "PermissionRequest", "decision": decision}})
	if err != nil {
		panic("tuiturn: " + err.Error()) // cannot happen: JSON can encode all values in it
	}
	return string(b)
}

// rejected is the text that claude gives the model when a person says no.
const rejected = "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, the new_string was NOT written to the file)."
