package drive

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn/transcript"
)

// A prompt that is interrupted between Enter and its line in the transcript may be
// recorded late, when the next turn of the conversation has begun, or never: the
// agent may not have taken it.
//
// The agent writes its lines in the order in which they were made. So until the
// next prompt's own line, every other line is the earlier prompt's; and what stood
// in the file before Enter was pressed for the next prompt is not its line, whatever
// it says. One case is left: the next prompt says the same, and a line with that
// text comes after its Enter. It is taken for the next prompt's once that has left
// the input line and no second such line comes. If a second one does come, later,
// or an interruption that nobody has asked for, then the first was the earlier
// prompt's, with all that came after it.
type overdue struct {
	owed  []owed    // prompts whose lines may be on their way, in order
	since time.Time // when a line came that may be one of them; zero: none did
	told  bool      // the agent has been told to stop in this turn
}

// owed tells whether a text is how a prompt is recorded.
type owed func(text string) bool

// owes are the prompts that may still be recorded when the turn is over.
func (t *Turn) owes() []owed {
	if _, received := t.log.Received(); received && !t.doubtful() {
		return nil
	}
	all := t.overdue.owed
	if t.entered.again() {
		all = append(slices.Clip(all), t.recordedAs)
	}
	return all
}

// recordedAs is isPrompt, also for a command, which is recorded between tags.
func (t *Turn) recordedAs(text string) bool {
	if t.isCommand() {
		return t.Agent.Names(&t.Prompt, text)
	}
	return t.isPrompt(text)
}

// isPrompt tells whether text, which the transcript has as the session's first
// prompt, is the one that was put in. A command is not compared: the transcript has
// it in the agent's own form.
func (t *Turn) isPrompt(text string) bool { return t.isCommand() || t.Agent.Took(&t.Prompt, text) }

// isCommand tells whether the agent may take the prompt for a command of its own.
func (t *Turn) isCommand() bool {
	return t.Prompt.Commands && strings.HasPrefix(strings.TrimSpace(t.Prompt.Put), t.Agent.Traits().Command)
}

// add takes an event of the transcript, unless it is of an earlier prompt.
func (t *Turn) add(ev transcript.Event) {
	u, ok := ev.Body.(*transcript.User)
	if !ok || ev.Meta || ev.Sidechain {
		t.log.Add(ev)
		return
	}
	i := slices.IndexFunc(t.overdue.owed, func(is owed) bool { return is(u.Text) })
	if _, received := t.log.Received(); received {
		if !t.doubtful() || !(i >= 0 && u.Typed || t.recordedAs(u.Text) && u.Typed || u.Interruption && !t.overdue.told) {
			t.log.Add(ev)
			return
		}
		t.newLog() // it was the earlier prompt's
		t.overdue.since = time.Time{}
	}
	own := t.recordedAs(u.Text) && t.entered.again() && ev.End > t.entered.from
	switch {
	case own && i >= 0:
		t.overdue.since = time.Now()
		t.overdue.owed = t.overdue.owed[i+1:]
	case own:
	case i >= 0:
		t.overdue.owed = t.overdue.owed[i+1:]
		t.passed(u.PromptID)
		return
	case u.Interruption, u.PromptID != "" && t.past[u.PromptID]:
		return
	}
	t.log.Add(ev)
}

// passed keeps apart what hooks report of an earlier prompt.
func (t *Turn) passed(promptID string) {
	if promptID == "" {
		return
	}
	past := maps.Clone(t.past)
	if past == nil {
		past = make(map[string]bool)
	}
	past[promptID] = true
	t.past = past
}

// doubtful tells whether the line that was taken for the prompt's may be an earlier
// one's.
func (t *Turn) doubtful() bool { return !t.overdue.since.IsZero() }

// taken tells whether the prompt has left the input line, and its own line would
// have come by now if what has come was another's.
func (t *Turn) taken(w *watch) bool {
	since := time.Since(t.overdue.since)
	return since >= transcript.DefaultSettle && (!w.view.Input || w.view.Text == "" && !w.busy()) ||
		since >= idleQuiet && w.view.Text == ""
}
