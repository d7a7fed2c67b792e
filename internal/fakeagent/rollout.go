package fakeagent

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A rollout is the log of an agent that names its sessions itself: see Script.Rollout.
// It has another layout than claude's, and each line is wrapped in one of another shape.

// rolloutPath is where a session is recorded that begins now.
func rolloutPath(home, session string) string {
	now := time.Now().UTC()
	return filepath.Join(home, ".rollouts", "sessions", now.Format("2006/01/02"),
		"rollout-"+now.Format("2006-01-02T15-04-05")+"-"+session+".jsonl")
}

// findRollout is where a session has been recorded.
func findRollout(home, session string) (string, error) {
	found, err := filepath.Glob(rolloutPattern(home, session))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("No conversation found with session ID: %s", session)
	}
	return found[0], nil
}

func rolloutPattern(home, session string) string {
	return filepath.Join(home, ".rollouts", "sessions", "*", "*", "*", "rollout-*-"+session+".jsonl")
}

// A rolloutLine is a line of a rollout.
type rolloutLine struct {
	Timestamp time.Time       `json:"timestamp"`
	Type      string          `json:"type"`
	Payload   json.RawMessage `json:"payload"`
}

// wrapped is one line of claude's as a rollout has it.
func wrapped(line []byte) []byte {
	return encodeLine(rolloutLine{time.Now(), "item", line})
}

// meta is the first line of a rollout. The mark is the one of the terminal, by which a
// test finds the session's processes.
func (r *recorder) meta() []byte {
	payload := encodeLine(map[string]string{"id": r.session, "cwd": r.dir, "mark": os.Getenv("TUITURN_SESSION")})
	return encodeLine(rolloutLine{time.Now(), "session_meta", payload})
}

// name reports the session's name to the hooks that want it.
func (a *agent) name() { a.hook("SessionStart", map[string]any{"source": "startup"}) }

// failed reports a turn's error to the hooks.
func (a *agent) failed(t Turn) {
	prompt, turn := a.rec.ids()
	e := t.APIError
	report := func() {
		a.hook("TurnFailed", map[string]any{
			"prompt_id": prompt, "turn_id": turn,
			"status": e.status(), "error_type": e.kind(), "error": e.reason(), "message": e.text(),
		})
	}
	if t.LateHooks > 0 {
		time.AfterFunc(t.LateHooks, report)
	} else {
		report()
	}
}
