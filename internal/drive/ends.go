package drive

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn/transcript"
)

const (
	// restQuiet is how long transcript and screen must both be still, with an empty
	// input line, to end a turn whose agent records no end. The agent must also be
	// idle. 2.1.104 stood still for over two minutes while it drew a long line. It also
	// wrote the last block of a message a good while after the others.
	restQuiet = time.Second

	// idleQuiet is the same time if there is a reason to expect more, or if nothing
	// explains why the agent is still. A turn waits no longer than 5 s for an agent
	// that has stopped.
	idleQuiet = 4 * time.Second

	// never says that a standing does not end the turn, however long it lasts.
	never = time.Duration(-1)
)

// A standing is the state of an agent whose input line is there and empty.
type standing struct {
	state    transcript.State
	cut      bool // the last message hit a limit, or was refused
	pending  bool // a tool use has no result
	retrying bool // a failed request is about to be repeated
	stopping bool // the Stop hooks have been reported to run
	said     bool // the agent had said something before the Stop hooks ran
	working  bool // the screen says that the agent works
}

// rests decides when a lasting standing is the end of the turn. The first row whose
// "is" holds gives the time. Each sign is weak, but together with a still transcript, a
// still screen and an idle agent the signs are enough. (A working agent draws a clock.
// On 2.1.330 an agent that waits for a retry draws no clock, but says that it works.)
//
// The table leaves out ends that the transcript records. They count at once, whatever
// the screen shows: see answer.
var rests = []struct {
	name  string
	is    func(s standing) bool
	after time.Duration
	known bool // the turn's own end; false: an end that the transcript does not explain
}{
	{"a failed request is about to be repeated", func(s standing) bool { return s.retrying }, never, false},
	{"the last message is final", func(s standing) bool { return s.state == transcript.Final && !s.stopping }, restQuiet, true},
	{"a message without a stop reason", func(s standing) bool { return s.state == transcript.Resting && !s.cut }, restQuiet, true},
	{"the agent works", func(s standing) bool { return s.working }, never, false},
	{"the last message is final, and hooks run before the agent stops", func(s standing) bool { return s.state == transcript.Final }, idleQuiet, true},
	{"a message was cut or refused, and the agent may ask for more", func(s standing) bool { return s.state == transcript.Resting }, idleQuiet, true},
	{"the agent has reported that it stops, and has said nothing", func(s standing) bool { return s.stopping && !s.said && !s.pending }, restQuiet, false},
	{"the reason is unknown", func(standing) bool { return true }, idleQuiet, false},
}

// standing returns the agent's standing at a look.
func (t *Turn) standing(w *watch) standing {
	end := t.log.Outcome().End
	return standing{
		state:    t.log.State(),
		cut:      end == transcript.EndCut || end == transcript.EndRefused,
		pending:  len(t.log.PendingTools()) > 0,
		retrying: t.log.Retrying() != nil,
		stopping: t.stopping,
		said:     t.lastSaid != "",
		working:  w.view.Working,
	}
}

// over tells whether a turn has ended although the transcript does not say so. quiet is
// how long the transcript has been still.
func (t *Turn) over(w *watch, quiet time.Duration) bool {
	if !w.view.Input || w.view.Text != "" {
		return false
	}
	s := t.standing(w)
	for _, rest := range rests {
		if !rest.is(s) {
			continue
		}
		if rest.after == never || min(quiet, w.still()) < rest.after || w.busy() {
			return false
		}
		if !rest.known {
			t.unrecorded = rest.name
		}
		return true
	}
	return false
}

// noAnswer returns ErrNoAnswer with all that is known about the end.
func (t *Turn) noAnswer(o transcript.Outcome) error {
	var known []string
	if t.halted != nil {
		known = append(known, t.hookSaid(t.halted))
	}
	if t.unrecorded != "" {
		known = append(known, "the agent records no end and waits for the next prompt: "+t.unrecorded)
	}
	if o.StopReason != "" {
		known = append(known, fmt.Sprintf("the last message has the stop reason %q", o.StopReason))
	} else if o.MessageID == "" && t.halted == nil {
		known = append(known, "no message was recorded")
	}
	if len(o.PendingTools) > 0 {
		var names []string
		for _, use := range o.PendingTools {
			names = append(names, use.Name)
		}
		known = append(known, "tools without a result: "+strings.Join(names, ", "))
	}
	if len(known) == 0 {
		return ErrNoAnswer
	}
	return fmt.Errorf("%w: %s", ErrNoAnswer, t.Redactor.Redact(strings.Join(known, "; ")))
}

// hookSaid says which hook has stopped the agent, and why.
func (t *Turn) hookSaid(h *transcript.HookOutput) string {
	event, reason := h.Event, h.Reason
	if event == "" {
		event = "unnamed"
	}
	if reason == "" {
		reason = "no reason given"
	}
	return fmt.Sprintf("a %s hook stopped it: %s", event, t.Redactor.Redact(reason))
}

// refused returns the error for a prompt that a hook of the home has blocked. Some
// versions give the prompt back to the input line.
func (t *Turn) refused(ctx context.Context, h *transcript.HookOutput) error {
	w := watch{pane: t.Pane}
	tick := time.NewTicker(bootLook)
	defer tick.Stop()
	for begun := time.Now(); time.Since(begun) < restQuiet; {
		if err := w.look(ctx); err != nil {
			return err
		}
		if w.view.Input && w.still() >= transcript.DefaultSettle {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	where := "the agent has erased the prompt"
	if w.view.Input && w.view.Text != "" {
		where = "the prompt stands in the input line again"
	}
	reason := h.Reason
	if reason == "" {
		reason = "no reason given"
	}
	return fmt.Errorf("%w: a %s hook blocked it: %s (%s)", ErrNotAccepted, h.Event, t.Redactor.Redact(reason), where)
}
