package drive

import (
	"path/filepath"

	"github.com/tuiturn/tuiturn/transcript"
)

// The agent's hooks tell what its transcript does not, or later: what it shows
// of an answer, and that it is about to stop. Each hook appends the line of JSON
// that it is given to a file of the turn's, which is followed like a transcript.
// Nothing rests on a hook alone: a policy can switch them off, and a line can be
// lost.

func (p *Pane) hooksFile() string { return filepath.Join(p.dir, "hooks.jsonl") }

// hooked takes an event of a hook. In a conversation one of the turn before may
// come late: each is a process of its own, and some are later than the Stop hook
// (2.1.158, 2.1.330).
func (t *Turn) hooked(ev transcript.Event) {
	if t.past[ev.PromptID] || t.past[ev.TurnID] {
		return
	}
	if t.ids != nil && ev.TurnID != "" {
		t.ids[ev.TurnID] = true
	}
	switch b := ev.Body.(type) {
	case *transcript.Asked:
		t.asked(b.Pid)
	case *transcript.Shown:
		if t.deltas != nil {
			t.deltas.Show(*b)
		}
	case *transcript.Stopping:
		// Reported by a process of its own, it can be late: the agent may have
		// been told to go on.
		before := t.lastSaid
		t.lastSaid = b.Text
		if t.log.State() == transcript.Working && t.whole() {
			t.lastSaid = before
			return
		}
		t.stopping = !t.log.Told()
	}
}
