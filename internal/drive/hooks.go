package drive

import (
	"encoding/json"
	"path/filepath"

	"github.com/tuiturn/tuiturn/internal/hook"
	"github.com/tuiturn/tuiturn/transcript"
)

// The agent's hooks tell what its transcript does not, or later: what it shows
// of an answer, and that it is about to stop. Each hook appends the line of JSON
// that it is given to a file of the turn's, which is followed like a transcript.
// Nothing rests on a hook alone: a policy can switch them off, and a line can be
// lost.

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

func (p *Pane) hooksFile() string { return filepath.Join(p.dir, "hooks.jsonl") }

// decodeHook reads what a hook has appended. What a subagent's hook reports is not for
// the turn.
func decodeHook(line []byte) (h hookEvent, ok bool) {
	return h, json.Unmarshal(line, &h) == nil && h.AgentID == ""
}

// hooked takes an event of a hook. In a conversation one of the turn before may
// come late: each is a process of its own, and some are later than the Stop hook
// (2.1.158, 2.1.330).
func (t *Turn) hooked(h hookEvent) {
	if t.past[h.PromptID] || t.past[h.TurnID] {
		return
	}
	if t.ids != nil && h.TurnID != "" {
		t.ids[h.TurnID] = true
	}
	switch h.Name {
	case hook.Asked:
		t.asked(h.Pid)
	case "MessageDisplay":
		if t.deltas != nil {
			t.deltas.Show(transcript.Shown{MessageID: h.MessageID, Index: h.Index, Text: h.Delta})
		}
	case "Stop":
		// Reported by a process of its own, it can be late: the agent may have
		// been told to go on.
		before := t.lastSaid
		t.lastSaid = h.LastMessage
		if t.log.State() == transcript.Working && t.whole() {
			t.lastSaid = before
			return
		}
		t.stopping = !t.log.Told()
	}
}
