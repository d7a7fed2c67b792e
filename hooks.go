package tuiturn

import (
	"context"
	"encoding/json"
	"path/filepath"

	"github.com/tuiturn/tuiturn/transcript"
)

// The agent's hooks tell what its transcript does not, or later: what it shows
// of an answer, and that it is about to stop. Each hook appends the line of JSON
// that it is given to a file of the turn's, which is followed like a transcript.
// Nothing rests on a hook alone: a policy can switch them off, and a line can be
// lost.

// hooksVar names the file in the agent's environment.
const hooksVar = "TUITURN_HOOKS"

// reportCommand runs in a shell of its own for each event. cat appends a line in
// one write as long as that is shorter than a pipe holds, 64 KiB; one that is
// torn by another does not decode.
//
// To the agent a hook that ends with status 2 has an objection, and what it prints
// is an instruction. A shell ends with 2 by itself when it cannot open a file:
// 2.1.104 then asked the model 280 times in 20 s, and 2.1.158 took the model's reply
// to the shell's message for the answer. So whatever happens to the file, the PATH
// or the disk, the command prints nothing and ends with 0.
const reportCommand = `trap 'exit 0' EXIT
{ cat >>"$` + hooksVar + `"; } >/dev/null 2>&1
exit 0`

// hookSettings are the settings that register hooks for events: those that report,
// and askEvent, whose hook asks.
func hookSettings(askEvent string, events ...string) map[string]any {
	register := func(hook map[string]any) []any {
		hook["type"] = "command"
		return []any{map[string]any{"hooks": []any{hook}}}
	}
	all := map[string]any{askEvent: register(map[string]any{"command": askCommand, "timeout": askWait})}
	for _, event := range events {
		all[event] = register(map[string]any{"command": reportCommand})
	}
	return all
}

// A hookEvent is what a hook reports.
type hookEvent struct {
	Name    string `json:"hook_event_name"`
	AgentID string `json:"agent_id"` // of a subagent

	PromptID string `json:"prompt_id"` // as the transcript has it; 2.1.330

	// Of MessageDisplay.
	TurnID    string `json:"turn_id"` // which the transcript does not have
	MessageID string `json:"message_id"`
	Index     int
	Delta     string

	// Of askedEvent.
	Pid int `json:"pid"`

	// Of Stop: the last text block, without white space around it.
	LastMessage string `json:"last_assistant_message"`
}

func (p *pane) hooksFile() string { return filepath.Join(p.dir, "hooks.jsonl") }

// followHooks sends the events of the agent's hooks to t.hooks until ctx ends.
func (t *turn) followHooks(ctx context.Context, offset int64) {
	follower := transcript.Follower{Path: t.hooksFile(), Offset: offset, Log: t.runner.Log}
	for ev, err := range follower.Events(ctx) {
		if err != nil {
			if ctx.Err() == nil {
				t.runner.log().Warn("what the agent's hooks report is not read any more", "session", t.session, "error", err)
			}
			return
		}
		var hook hookEvent
		if json.Unmarshal(ev.Raw, &hook) != nil || hook.AgentID != "" {
			continue
		}
		select {
		case t.hooks <- hook:
		case <-ctx.Done():
			return
		}
	}
}

// hooked takes an event of a hook. In a conversation one of the turn before may
// come late: each is a process of its own, and some are later than the Stop hook
// (2.1.158, 2.1.330).
func (t *turn) hooked(hook hookEvent) {
	if t.past[hook.PromptID] || t.past[hook.TurnID] {
		return
	}
	if t.ids != nil && hook.TurnID != "" {
		t.ids[hook.TurnID] = true
	}
	switch hook.Name {
	case askedEvent:
		t.asked(hook.Pid)
	case "MessageDisplay":
		if t.deltas != nil {
			t.deltas.Show(transcript.Shown{MessageID: hook.MessageID, Index: hook.Index, Text: hook.Delta})
		}
	case "Stop":
		// Reported by a process of its own, it can be late: the agent may have
		// been told to go on.
		before := t.lastSaid
		t.lastSaid = hook.LastMessage
		if t.log.State() == transcript.Working && t.whole() {
			t.lastSaid = before
			return
		}
		t.stopping = !t.log.Told()
	}
}
