package drive

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn/transcript"
)

// A prompt that is interrupted between Enter and its line in the transcript may be
// recorded late, when the next turn has begun. If the agent has not taken the prompt,
// it is never recorded.
//
// The agent writes its lines in the order in which they were made. So before the next
// prompt's own line, every other line belongs to the earlier prompt. Lines that were in
// the file before Enter was pressed for the next prompt are not that prompt's line,
// whatever they say. One case is left: the next prompt has the same text, and a line
// with that text comes after its Enter. The line counts as the next prompt's once that
// prompt has left the input line and no second such line comes. A second line may come
// later, or an interruption that nobody has asked for. Then the first line was the
// earlier prompt's, with all that came after it.
type overdue struct {
	owed  []owed    // prompts whose lines may be on their way, in order
	since time.Time // when a line came that may belong to one of owed; zero: none did
	told  bool      // the agent has been told to stop in this turn
}

// An owed tells whether a text is a prompt's line in the transcript.
type owed func(text string) bool

// owes returns the prompts that may still be recorded after the turn.
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

// recordedAs is isPrompt for prompts and commands. A command is recorded between tags.
func (t *Turn) recordedAs(text string) bool {
	if t.isCommand() {
		return t.Agent.Names(&t.Prompt, text)
	}
	return t.isPrompt(text)
}

// isPrompt tells whether text, the first prompt in the transcript, is the prompt that
// was put in. It does not compare commands: the transcript has them in the agent's own
// form.
func (t *Turn) isPrompt(text string) bool { return t.isCommand() || t.Agent.Took(&t.Prompt, text) }

// isCommand tells whether the agent may take the prompt for a command of its own.
func (t *Turn) isCommand() bool {
	return t.Prompt.Commands && strings.HasPrefix(strings.TrimSpace(t.Prompt.Put), t.Agent.Traits().Command)
}

// add adds an event of the transcript to the turn, unless the event belongs to an
// earlier prompt.
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
		t.passed(t.log.PromptID())
		t.newLog() // the first line was the earlier prompt's
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

// passed marks a prompt as an earlier one, so that hook reports about it are ignored.
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

// doubtful tells whether the line that counts as the prompt's may be an earlier
// prompt's.
func (t *Turn) doubtful() bool { return !t.overdue.since.IsZero() }

// taken tells whether the agent has taken the prompt: the prompt has left the input
// line, and its own line would have come by now if the first line were another's.
func (t *Turn) taken(w *watch) bool {
	since := time.Since(t.overdue.since)
	return since >= transcript.DefaultSettle && (!w.view.Input || w.view.Text == "" && !w.busy()) ||
		since >= idleQuiet && w.view.Text == ""
}
