package drive

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn/transcript"
)

const (
	// restQuiet is how long transcript and screen must both have stood still,
	// with the input line there and empty, to end a turn whose agent records
	// no end. The agent must be idle, too: 2.1.104 stood still for over two
	// minutes because it drew a long line, and wrote the last block of a message
	// a good while after the others.
	restQuiet = time.Second

	// idleQuiet is the same where there is a reason to expect more, or no reason
	// for the stillness is known. Nothing that is stopped is waited for longer
	// than 5 s.
	idleQuiet = 4 * time.Second

	// never: this is no end, however long it lasts.
	never = time.Duration(-1)
)

// A standing is what is known of an agent that has its input line there, empty.
type standing struct {
	state    transcript.State
	cut      bool // the last message hit a limit, or was refused
	pending  bool // a tool use has no result
	retrying bool // a failed request is about to be repeated
	stopping bool // the Stop hooks have been reported to run
	said     bool // the agent had said something by then
	working  bool // the screen says that the agent works
}

// rests decides what a standing is that lasts: the first row that is true of it
// tells after how long it is the end of the turn. Each sign is weak. Together with
// a still transcript, a still screen and an idle agent they are enough. (An agent at
// work draws a clock. One that waits for a failed request's next attempt draws none
// on 2.1.330, but says that it works.)
//
// The ends that the transcript records are not in it: they count at once, whatever
// the screen shows. See answer.
var rests = []struct {
	name  string
	is    func(s standing) bool
	after time.Duration
	known bool // the turn has come to its end; else to one that nobody has recorded
}{
	{"a failed request is about to be repeated", func(s standing) bool { return s.retrying }, never, false},
	{"the last message is final", func(s standing) bool { return s.state == transcript.Final && !s.stopping }, restQuiet, true},
	{"a message without a stop reason", func(s standing) bool { return s.state == transcript.Resting && !s.cut }, restQuiet, true},
	{"the agent works", func(s standing) bool { return s.working }, never, false},
	{"the last message is final, and hooks run before the agent stops", func(s standing) bool { return s.state == transcript.Final }, idleQuiet, true},
	{"a message was cut or refused, and the agent may ask for more", func(s standing) bool { return s.state == transcript.Resting }, idleQuiet, true},
	{"the agent has reported that it stops, having said nothing", func(s standing) bool { return s.stopping && !s.said && !s.pending }, restQuiet, false},
	{"it is not known why", func(standing) bool { return true }, idleQuiet, false},
}

// standing is what is known of the agent of a look.
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

// over tells whether a turn has ended although the transcript does not say so. quiet
// is how long the transcript has stood still.
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

// noAnswer is ErrNoAnswer with what is known of the end.
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

// hookSaid tells which hook has stopped the agent, and why.
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

// refused is the error of a prompt that a hook of the home's did not let through.
// Some versions give it back to the input line then.
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
