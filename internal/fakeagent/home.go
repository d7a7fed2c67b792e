package fakeagent

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/tuiturn/tuiturn/internal/uuid"
)

// A home is the part of $HOME the agent uses.
type home struct{ dir string }

func (h home) config() string { return filepath.Join(h.dir, ".claude.json") }

// read returns .claude.json. A file that is missing or is no JSON is empty.
func (h home) read() map[string]any {
	m := map[string]any{}
	if b, err := os.ReadFile(h.config()); err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if d.Decode(&m) != nil || m == nil {
			return map[string]any{}
		}
	}
	return m
}

// update rewrites .claude.json through a temporary file. Like the real agent
// it goes on when the file can't be written.
func (h home) update(change func(m map[string]any)) {
	m := h.read()
	change(m)
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return
	}
	tmp := h.config() + ".tmp." + uuid.New()
	if os.WriteFile(tmp, b, 0o600) != nil || os.Rename(tmp, h.config()) != nil {
		os.Remove(tmp)
	}
}

// onboarded reports whether the theme was chosen.
func (h home) onboarded() bool { return h.read()["hasCompletedOnboarding"] == true }

// trusted reports whether the folder was trusted.
func (h home) trusted(dir string) bool {
	projects, _ := h.read()["projects"].(map[string]any)
	project, _ := projects[dir].(map[string]any)
	return project["hasTrustDialogAccepted"] == true
}

func (h home) trust(dir string) {
	h.update(func(m map[string]any) {
		projects, ok := m["projects"].(map[string]any)
		if !ok {
			projects = map[string]any{}
			m["projects"] = projects
		}
		project, ok := projects[dir].(map[string]any)
		if !ok {
			project = map[string]any{}
			projects[dir] = project
		}
		project["hasTrustDialogAccepted"] = true
	})
}

// credential reports whether there is anything to log in with.
func (h home) credential() bool {
	if os.Getenv("CLAUDE_CODE_OAUTH_TOKEN") != "" || os.Getenv("ANTHROPIC_API_KEY") != "" {
		return true
	}
	_, err := os.Stat(filepath.Join(h.dir, ".claude", ".credentials.json"))
	return err == nil
}
