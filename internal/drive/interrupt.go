package drive

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/transcript"
)

const (
	// comeBackWait limits how long an agent takes to stop when it is told to, and then
	// how long it takes until its input line is empty. 2.1.104 to 2.1.330 took 0.2 s to
	// record an answer that had begun. Otherwise they took 0.1 s, and 0.3 s once, until
	// the prompt was in the input line again. For an agent that works or waits for a
	// core, see rest.
	comeBackWait = 2 * time.Second

	// stopAgain is how long an agent may go on before it is told to stop again: an
	// agent that has just taken a prompt may miss the first key. An agent that works,
	// or waits for a core, may not have read the key yet, and has stopAgainBusy.
	// Surplus keys would open the list of a rewind after the agent has stopped
	// (2.1.158, 2.1.332).
	stopAgain     = 500 * time.Millisecond
	stopAgainBusy = 4 * stopAgain

	// givenBack is how long a text must stay in the input line after the key to count
	// as the prompt, given back. A prompt that the agent is about to take leaves
	// sooner.
	givenBack = 150 * time.Millisecond
)

// greet waits for the agent's input line and empties it. What is in it does not belong
// to the prompt.
func (t *Turn) greet(ctx context.Context) error {
	t.declined = 0
	err := t.ready(ctx)
	if blocked, ok := err.(*BlockedError); ok && blocked.Kind == unknown {
		// No agent asks for something between two turns. So this is a list, such as
		// that of a rewind, and Escape leaves it.
		if err = t.term.SendKeys(ctx, t.Agent.Traits().Keys.Stop); err == nil {
			err = t.ready(ctx)
		}
	}
	if err != nil {
		return err
	}
	w := watch{pane: t.Pane}
	if err := w.look(ctx); err != nil {
		return err
	}
	if w.view.Text == "" {
		return nil
	}
	return t.empty(ctx)
}

// empty empties the input line. Through the door a long text takes no longer than a
// short one. The Clear key removes one row at a time.
func (p *Pane) empty(ctx context.Context) error {
	if err := p.door.deliver(ctx, p, ""); !errors.Is(err, errNoDoor) {
		return err
	}
	return p.clear(ctx)
}

// comeBack makes the agent ready for the next prompt after a turn was broken off: it
// stops the agent and empties the input line. Lines that the agent records meanwhile
// belong to the turn.
//
// An agent that has begun to answer records the interruption. An agent that has not
// begun gives the prompt back in the input line and records nothing. An agent that had
// nothing to stop does neither; only time shows that.
func (t *Turn) comeBack(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stopped := make(chan struct{})
	go t.limitComeBack(ctx, stopped, cancel)
	err := t.stop(ctx, sync.OnceFunc(func() { close(stopped) }))
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, os.ErrProcessDone):
		<-t.term.Done()
		return &ExitError{t.term.Status()}
	}
	return err
}

// limitComeBack cancels with errNotBack once the agent has rested for comeBackWait and has
// not come back. The time begins again when the agent has stopped.
func (t *Turn) limitComeBack(ctx context.Context, stopped <-chan struct{}, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(comeBackWait / 10)
	defer tick.Stop()
	const enough = 3 // looks: the limit is the agent's, not that of a slow host
	looks := t.looks.Load()
	for rest := t.rest(); ; {
		select {
		case <-tick.C:
			if rest.over(comeBackWait) && t.looks.Load() >= looks+enough {
				cancel(errNotBack)
				return
			}
		case <-stopped:
			rest, stopped, looks = t.rest(), nil, t.looks.Load()
		case <-ctx.Done():
			return
		}
	}
}

// errNotBack is the error of an agent that goes on, or does something else.
var errNotBack = errors.New("the agent did not come back to an empty input line in time")

// stop is comeBack without a timeout. It calls hasStopped when the agent has stopped.
func (t *Turn) stop(ctx context.Context, hasStopped func()) error {
	w := watch{pane: t.Pane}
	tick := time.NewTicker(bootLook)
	defer tick.Stop()
	stopped := !t.entered.again() // the agent has got no prompt
	var told mark
	tells := 0
	quiet := time.Now() // when the last line came
	for {
		if t.deaf() { // it has not come back, whatever its last screen shows
			if _, err := t.hear(ctx, nil, nil); err != nil {
				return err
			}
			continue
		}
		if err := w.look(ctx); err != nil {
			return err
		}
		told.skip(w.gap)
		switch lines, err := t.catchUp(); {
		case err != nil:
			return err
		case lines:
			quiet = time.Now()
		}
		stopped = stopped || t.log.Done()
		still := min(w.still(), time.Since(quiet))
		rests := func() bool { return w.rests() && t.keysRead(ctx) }
		switch {
		case w.view.Input && w.view.Text == "":
			// A prompt that was given back may be recorded up to 100 ms later. If the
			// screen still changes, the agent works. After two keys, the second one has
			// taken effect when the agent rests.
			settled := still >= transcript.DefaultSettle && rests()
			if t.log.Done() && tells < 2 || settled && stopped || still >= restQuiet && told.set() && rests() {
				return nil
			}
		case !w.view.Input && (w.view.Menu == nil || w.view.Menu.Kind == agent.Other) && w.mayRedraw() && w.foot.since() >= comeBackWait/2 && rests():
			if err := w.redraw(ctx); err != nil {
				return err
			}
		case w.view.Input && (!t.entered.again() ||
			told.set() && min(w.still(), told.since()) >= givenBack && rests()):
			if !stopped {
				stopped = true
				hasStopped()
			}
			if err := t.empty(ctx); err != nil {
				return err
			}
		}
		if t.mustTell(ctx, &w, stopped, told) {
			if err := t.term.SendKeys(ctx, t.Agent.Traits().Keys.Stop); err != nil {
				return err
			}
			told, t.overdue.told = t.mark(), true
			tells++
		}
		switch heard, err := t.hear(ctx, tick.C, nil); {
		case err != nil:
			return err
		case heard == line:
			quiet = time.Now()
		}
	}
}

// mustTell tells whether to send the stop key now: at once, and again if the agent goes
// on. If the agent read it together with another key, it would mean another key.
func (t *Turn) mustTell(ctx context.Context, w *watch, stopped bool, told mark) bool {
	again := stopAgain
	if !w.rests() {
		again = stopAgainBusy
	}
	switch {
	case stopped && w.view.Input:
		return false
	case told.set() && (told.since() < again || w.view.Input && w.still() > transcript.DefaultSettle):
		return false
	}
	return t.keysRead(ctx)
}

// keysRead tells whether the agent has read all keys.
func (p *Pane) keysRead(ctx context.Context) bool {
	unread, _ := p.term.Unread(ctx)
	return unread == 0
}
