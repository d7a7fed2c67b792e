package claude

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tuiturn/tuiturn/internal/agent"
)

// ourKeys are the keys that we press, as keybindings.json names them, and what each does
// by itself.
var ourKeys = map[string]string{
	"ctrl+g": "chat:externalEditor",
	"enter":  "chat:submit",
	"escape": "chat:cancel",
}

// keyNames are other names of keys.
var keyNames = map[string]string{"return": "enter", "esc": "escape", "control+g": "ctrl+g"}

// leaves are what Escape does in a dialog, by context: it leaves the dialog, and grants
// nothing.
var leaves = map[string]string{"Confirmation": "confirm:no", "Select": "select:cancel"}

// checkKeys returns an error if the home gives another meaning to a key that we press.
// With Ctrl+G unbound a turn of 2.1.332 takes 16 s more, and with another Enter no prompt
// is ever sent. A file that cannot be parsed is ignored, as the agent does.
func checkKeys(s *agent.Start) error {
	path := filepath.Join(s.Home, ".claude", "keybindings.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: make it readable or remove it", err)
	}
	var file struct {
		Bindings []struct {
			Context  string
			Bindings map[string]any
		}
	}
	json.Unmarshal(b, &file) // what has the right form counts
	for _, block := range file.Bindings {
		for keys, action := range block.Bindings {
			first, _, chord := strings.Cut(strings.ToLower(strings.TrimSpace(keys)), " ")
			if name, ok := keyNames[first]; ok {
				first = name
			}
			does, ours := ourKeys[first]
			if leave, dialog := leaves[block.Context]; dialog {
				does, ours = leave, first == "escape"
			} else if block.Context != "Chat" && block.Context != "Global" {
				ours = false
			}
			if ours && (chord || action != does) {
				return fmt.Errorf("%s binds %q to something else, and tuiturn presses %s: remove that binding", path, keys, first)
			}
		}
	}
	return nil
}
