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
		case "SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "Stop":
		case "TurnFailed": // see Script.Rollout
		default:
			return false
		}
	}
	return true
}

// A said is the outcome of an event's hooks.
type said struct {
	objection string // of the first that ended with status 2: what it wrote on standard error
	printed   []byte // by the last that printed something and ended with status 0
}

// hook runs the commands of an event one after another, each with a JSON object on
// standard input. Status 2 is an objection, for whatever reason.
func (a *agent) hook(event string, more map[string]any) (s said) {
	if len(a.hooks[event]) == 0 {
		return s
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
		var out, errors bytes.Buffer
		c := exec.Command("/bin/sh", "-c", command)
		c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(b), &out, &errors
		c.Env = childEnv()
		err := c.Run()
		switch {
		case c.ProcessState != nil && c.ProcessState.ExitCode() == 2 && s.objection == "":
			s.objection = "[" + command + "]: " + errors.String()
		case err == nil && out.Len() > 0:
			s.printed = out.Bytes()
		}
	}
	return s
}

// A decision is the decision of a PermissionRequest hook; the zero value means none.
type decision struct {
	Behavior  string
	Message   string
	Interrupt bool
}

// permission asks the hooks about a tool use. It returns when they end, which may be
// never: an agent does not end the hooks of a question that has been answered.
func (a *agent) permission(input map[string]any) (d decision) {
	s := a.hook("PermissionRequest", map[string]any{"tool_name": "Bash", "tool_input": input})
	if s.objection != "" {
		return decision{Behavior: "deny", Message: s.objection}
	}
	var out struct {
		HookSpecificOutput struct{ Decision decision }
	}
	json.Unmarshal(s.printed, &out) // what is no decision is none
	return out.HookSpecificOutput.Decision
}
