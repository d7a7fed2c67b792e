package tuiturn

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/internal/hook"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
	"github.com/tuiturn/tuiturn/transcript"
)

// A setting is where the agents of a test run, and how they keep their sessions.
type setting struct {
	kind    TerminalKind
	rollout fakeagent.Stage // as in fakeagent.Script
}

// onEachSetting runs a test over tmux and over a pty, and with an agent that names its
// sessions itself.
func onEachSetting(t *testing.T, test func(t *testing.T, on setting)) {
	for name, on := range map[string]setting{
		"tmux":    {kind: Tmux},
		"pty":     {kind: Pty},
		"rollout": {Pty, fakeagent.AtSubmit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if on.kind == Tmux {
				tmuxtest.Require(t)
			}
			test(t, on)
		})
	}
}

func (on setting) newStage(t testing.TB, script fakeagent.Script) *stage {
	t.Helper()
	script.Rollout = on.rollout
	return newStage(t, on.kind, script)
}

// A rolloutAgent is the fake agent in its second manner: it names its sessions itself.
type rolloutAgent struct{ agent.Agent }

func (a rolloutAgent) agent() agent.Agent { return a }

func (a rolloutAgent) Traits() agent.Traits {
	t := a.Agent.Traits()
	t.Name, t.Log = "rollout", rollouts
	return t
}

// Launch adds to the hooks those that tell what the log does not.
func (a rolloutAgent) Launch(s *agent.Start) (agent.Launch, error) {
	l, err := a.Agent.Launch(s)
	for i := range l.Files {
		f := &l.Files[i]
		if filepath.Base(f.Path) != "settings.json" {
			continue
		}
		var settings map[string]any
		if err := json.Unmarshal([]byte(f.Content), &settings); err != nil {
			return l, err
		}
		maps.Copy(settings["hooks"].(map[string]any), hook.Settings("PermissionRequest", "SessionStart", "TurnFailed"))
		b, err := json.Marshal(settings)
		if err != nil {
			return l, err
		}
		f.Content = string(b)
	}
	return l, err
}

// rollouts is the format of a rolloutAgent's sessions.
var rollouts = &transcript.Format{
	Dir: func(home string) string { return filepath.Join(home, ".rollouts", "sessions") },
	Name: func(file string) (string, bool) {
		m := rolloutName.FindStringSubmatch(file)
		if m == nil {
			return "", false
		}
		return m[1], true
	},
	Decode: func(line []byte) transcript.Event {
		var wrap rolloutLine
		if err := json.Unmarshal(line, &wrap); err != nil {
			return transcript.Event{Raw: line, Body: &transcript.Malformed{Err: err}}
		}
		if wrap.Type == "session_meta" {
			return transcript.Event{Raw: line, Body: &transcript.Started{SessionID: wrap.meta().ID}}
		}
		ev := transcript.Decode(wrap.Payload)
		ev.Raw = line
		return ev
	},
	Report: func(line []byte) transcript.Event {
		ev := transcript.Claude().Report(line)
		if u, ok := ev.Body.(*transcript.Unknown); ok && u.Type == "TurnFailed" {
			var e struct {
				Status         int
				ErrorType      string `json:"error_type"`
				Error, Message string
			}
			json.Unmarshal(line, &e)
			ev.Body = &transcript.APIError{Status: e.Status, Type: e.ErrorType, Kind: e.Error, Message: e.Message}
		}
		return ev
	},
}

var rolloutName = regexp.MustCompile(`^rollout-[0-9T-]{19}-([0-9a-f-]{36})\.jsonl$`)

// A rolloutLine is a line of claude's inside another one, or the first line.
type rolloutLine struct {
	Type    string
	Payload json.RawMessage
}

// meta is what the first line tells.
func (l *rolloutLine) meta() (m struct{ ID, Mark string }) {
	json.Unmarshal(l.Payload, &m)
	return m
}

// unwrapped are the lines of claude's in a log.
func unwrapped(log []byte) string {
	var b strings.Builder
	for line := range bytes.Lines(log) {
		var l rolloutLine
		json.Unmarshal(line, &l)
		b.Write(append(l.Payload, '\n'))
	}
	return b.String()
}

// rolloutMark returns the mark of a session's processes, or "" if it has no log.
func rolloutMark(home, session string) string {
	path, err := rollouts.Find(home, session)
	if err != nil {
		return ""
	}
	b, _ := os.ReadFile(path)
	first, _, _ := bytes.Cut(b, []byte("\n"))
	var l rolloutLine
	json.Unmarshal(first, &l)
	return l.meta().Mark
}
