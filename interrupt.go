package tuiturn

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/transcript"
)

const (
	// comeBackWait is how long an agent may take to stop when it is told to, and
	// then once more until its input line is empty. With an answer begun 2.1.104
	// to 2.1.330 took 0.2 s until they had recorded it, else 0.1 s, and 0.3 s
	// once, until the prompt stood in the input line again. An agent that works or
	// waits for a core may take comeBackMost.
	comeBackWait = 2 * time.Second
	comeBackMost = 10 * comeBackWait

	// stopAgain is how long an agent may go on before it is told again: one that
	// has just taken a prompt may miss it. One that works, or waits for a core, may
	// not have come to the key yet, and has stopAgainBusy: the keys too many would
	// open the list of a rewind, after all has come to rest (2.1.158, 2.1.332).
	stopAgain     = 500 * time.Millisecond
	stopAgainBusy = 4 * stopAgain

	// givenBack is how long a text must have stood in the input line after the
	// key to be the prompt, given back, and not on its way to be taken yet.
	givenBack = 150 * time.Millisecond
)

// greet waits for the agent's input line, and empties it: whatever stands there
// is not part of the prompt.
func (t *turn) greet(ctx context.Context) error {
	t.declined = 0
	err := t.ready(ctx)
	if blocked, ok := err.(*BlockedError); ok && blocked.Kind == "unknown" {
		// No agent asks for something between two turns: it is a list, such as that
		// of a rewind, and Escape leaves it.
		if err = t.term.SendKeys(ctx, t.agent.Traits().Keys.Stop); err == nil {
			err = t.ready(ctx)
		}
	}
	if err != nil {
		return err
	}
	w := watch{pane: t.pane}
	if err := w.look(ctx); err != nil {
		return err
	}
	if w.view.Text == "" {
		return nil
	}
	return t.empty(ctx)
}

// empty empties the input line. Through the door it takes no longer for a long
// text than for a short one; clearKey takes one row at a time.
func (p *pane) empty(ctx context.Context) error {
	if err := p.door.deliver(ctx, p, ""); !errors.Is(err, errNoDoor) {
		return err
	}
	return p.clear(ctx)
}

// comeBack makes the agent ready for the next prompt when a turn has been broken
// off: it stops what it does and empties the input line. What it records
// meanwhile is part of the turn.
//
// An agent that has begun to answer records the interruption. One that has not
// gives the prompt back, in the input line, and records nothing. One that had
// nothing to stop does neither, which only time tells.
func (t *turn) comeBack(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	waiting := newBackLimit(t.pane)
	go func() {
		tick := time.NewTicker(comeBackWait / 10)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if waiting.over() {
					cancel(errNotBack)
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	err := t.stop(ctx, waiting.again)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, os.ErrProcessDone):
		<-t.term.Done()
		return &ExitError{t.term.Status()}
	}
	return err
}

// A backLimit is a limit of time for an agent: comeBackWait, unless it has worked,
// or waited for a core, for a good part of that.
type backLimit struct {
	pane *pane

	mu    sync.Mutex
	since time.Time
	work  time.Duration // the agent's, then
}

func newBackLimit(p *pane) *backLimit {
	limit := &backLimit{pane: p}
	limit.again()
	return limit
}

// again begins anew.
func (p *backLimit) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = time.Now()
	p.work, _ = proc.WorkTime(p.pane.term.Pid())
}

func (p *backLimit) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	waited := time.Since(p.since)
	w := watch{pane: p.pane}
	return waited >= comeBackMost || waited >= comeBackWait && !w.worked(p.work, waited)
}

// errNotBack is the error of an agent that goes on, or does something else.
var errNotBack = errors.New("the agent did not come back to an empty input line in time")

// stop is comeBack without a limit; hasStopped is called when the agent has stopped.
func (t *turn) stop(ctx context.Context, hasStopped func()) error {
	w := watch{pane: t.pane}
	tick := time.NewTicker(bootLook)
	defer tick.Stop()
	stopped := t.entered.since.IsZero() // it has been given nothing
	var told time.Time
	tells := 0
	var toldWork time.Duration // the agent's, then
	quiet := time.Now()        // since when no line has come
	for {
		if err := w.look(ctx); err != nil {
			return err
		}
		stopped = stopped || t.log.Done()
		still := min(w.still(), time.Since(quiet))
		switch {
		case w.view.Input && w.view.Text == "":
			// A prompt that was given back may be recorded up to 100 ms later, and
			// on a screen that still changes the agent works. Of two keys the second
			// has had its effect when the agent rests.
			rests := still >= transcript.DefaultSettle && t.heard(ctx) && !w.worked(toldWork, time.Since(told))
			if t.log.Done() && (tells < 2 || rests) || still >= transcript.DefaultSettle && stopped && !w.busy() || still >= restQuiet && !told.IsZero() && t.heard(ctx) && !w.busy() {
				return nil
			}
		case w.view.Input && (t.entered.since.IsZero() ||
			!told.IsZero() && min(w.still(), time.Since(told)) >= givenBack && t.heard(ctx) && !w.worked(toldWork, time.Since(told))):
			if !stopped {
				stopped = true
				hasStopped()
			}
			if err := t.empty(ctx); err != nil {
				return err
			}
		}
		if t.mustTell(ctx, &w, stopped, told, toldWork) {
			if err := t.term.SendKeys(ctx, t.agent.Traits().Keys.Stop); err != nil {
				return err
			}
			told, t.overdue.told = time.Now(), true
			tells++
			toldWork, _ = proc.WorkTime(t.term.Pid())
		}
		select {
		case ev := <-t.events:
			if t.take(ev) {
				quiet = time.Now()
			}
		case hook := <-t.hooks:
			t.hooked(hook)
		case err := <-t.followErr:
			return err
		case <-tick.C:
		case <-t.term.Done():
			return os.ErrProcessDone
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// mustTell tells whether it is time to tell the agent to stop: at once, and again
// if it goes on. Read together with another key the key would be another one.
func (t *turn) mustTell(ctx context.Context, w *watch, stopped bool, told time.Time, toldWork time.Duration) bool {
	again := stopAgain
	if w.worked(toldWork, time.Since(told)) {
		again = stopAgainBusy
	}
	switch {
	case stopped && w.view.Input:
		return false
	case !told.IsZero() && (time.Since(told) < again || w.view.Input && w.still() > transcript.DefaultSettle):
		return false
	}
	return t.heard(ctx)
}

// heard tells whether the agent has read all keys.
func (p *pane) heard(ctx context.Context) bool {
	unread, _ := p.term.Unread(ctx)
	return unread == 0
}
