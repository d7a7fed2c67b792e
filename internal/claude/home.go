package claude

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn/internal/agent"
)

// soleStop tells whether the Stop hook in our settings is the only one that the session
// can have. Others come from the administrator, from the home's settings, from plugins,
// skills, agents, commands and output styles, from a project or a resumed session, and by
// tools, which can write files. What is not known to be harmless may bring a hook.
func soleStop(s *agent.Start) bool {
	if !s.NoTools || s.MCPConfig != "" || s.AllowProject || s.Resume {
		return false
	}
	if slices.ContainsFunc(s.Env, func(kv string) bool { return strings.HasPrefix(kv, "CLAUDE_") }) {
		return false
	}
	dir := filepath.Join(s.Home, ".claude")
	return !slices.ContainsFunc(administrators, exists) && !exists(filepath.Join(dir, "remote-settings.json")) &&
		harmless(filepath.Join(dir, "settings.json")) && !slices.ContainsFunc(extensions, func(name string) bool {
		return !empty(filepath.Join(dir, name), builtIn)
	})
}

// administrators are where an administrator's settings may be.
var administrators = []string{
	"/etc/claude-code",
	"/Library/Application Support/ClaudeCode",
	"/Library/Managed Preferences",
}

// extensions are the directories of a home with what may register hooks.
var extensions = []string{"skills", "agents", "commands", "plugins", "output-styles"}

// builtIn is what the agent's own plugins keep in "plugins" (2.1.332).
const builtIn = "store"

// plain are settings that register no hook and load nothing that may.
var plain = []string{
	"$schema", "cleanupPeriodDays", "editorMode", "effortLevel", "env", "includeCoAuthoredBy", "language", "model",
	"permissions", "spinnerTipsEnabled", "statusLine", "theme", "tui", "verbose",
}

// harmless tells whether the settings file at path holds nothing but plain settings.
func harmless(path string) bool {
	b, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	var settings map[string]json.RawMessage
	if err != nil || json.Unmarshal(b, &settings) != nil {
		return false
	}
	for name := range settings {
		if !slices.Contains(plain, name) {
			return false
		}
	}
	return true
}

// exists tells whether something is at path, or may be.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// empty tells whether there is nothing in the directory at path, but perhaps one entry.
func empty(path, but string) bool {
	entries, err := os.ReadDir(path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && (len(entries) == 0 || len(entries) == 1 && entries[0].Name() == but)
}

// maxFile limits the size of a file of the home's that is read.
const maxFile = 1 << 20

// read reads a file that a tool of an earlier turn may have replaced: by a FIFO, whose
// writer never comes, or by a device without an end.
func read(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a file of at most %d MiB", path, maxFile>>20)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

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
	b, err := read(path)
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
