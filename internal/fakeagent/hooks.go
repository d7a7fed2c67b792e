package fakeagent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
)

// hooks are the commands of a settings file by event.
type hooks map[string][]string

// readHooks reads the commands that a settings file registers.
func readHooks(file string) (hooks, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("Settings file not found: %s", file)
	}
	var s struct {
		Hooks map[string][]struct {
			Hooks []struct{ Type, Command string }
		}
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("Invalid settings file %s: %w", file, err)
	}
	h := hooks{}
	for event, groups := range s.Hooks {
		h[event] = nil
		for _, g := range groups {
			for _, c := range g.Hooks {
				if c.Type == "command" {
					h[event] = append(h[event], c.Command)
				}
			}
		}
	}
	return h, nil
}

// known reports whether every event is one that 2.1.104 has.
func (h hooks) known() bool {
	for event := range h {
		switch event {
		case "SessionStart", "UserPromptSubmit", "PreToolUse", "Stop":
		default:
			return false
		}
	}
	return true
}

// hook runs the commands of an event one after another, each with a JSON
// object on standard input. What they print and how they end is ignored.
func (a *agent) hook(event string, more map[string]any) {
	if len(a.hooks[event]) == 0 {
		return
	}
	in := map[string]any{
		"session_id": a.rec.session, "transcript_path": a.rec.path,
		"cwd": a.dir, "hook_event_name": event,
	}
	for k, v := range more {
		in[k] = v
	}
	b := encodeLine(in)
	for _, command := range a.hooks[event] {
		c := exec.Command("/bin/sh", "-c", command)
		c.Stdin = bytes.NewReader(b)
		c.Env = childEnv()
		c.Run()
	}
}
