package drive

import (
	"context"
	"time"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/internal/text"
)

const (
	// bootLook is how often the screen is looked at while the agent starts or
	// takes its prompt, workLook while it works: only a dialog, or an end that
	// the transcript does not record, is looked for then.
	bootLook = 20 * time.Millisecond
	workLook = 250 * time.Millisecond

	// enterAgain is how long the receipt of a prompt is waited for before Enter
	// is pressed again. The agent writes its transcript every 100 ms.
	enterAgain = 400 * time.Millisecond

	// maxEnters is how often Enter is pressed: what stands in the input line of an
	// idle agent for longer than that takes is not going to be sent.
	maxEnters = 10

	// bootStill, submitStill and workStill are how long a screen that takes no
	// prompt may stand still before it is an unknown dialog, blankStill one with
	// nothing on it. After the editor an agent waits for the shell that it ran in;
	// at work it has its input line there all the time.
	bootStill   = 8 * time.Second
	submitStill = 2 * time.Second
	workStill   = time.Second
	blankStill  = 30 * time.Second

	// manyMoves is how often the clock of an agent must move to show that it draws.
	manyMoves = 5

	// toldWait is how long a dialog stands before it counts, in mid-turn: the agent
	// may have drawn it after the end of the turn, which it writes 100 ms later.
	toldWait = 500 * time.Millisecond

	// stoppedStill is how long a screen stands still before the agent is asked
	// whether it has been stopped. A debugger stops it for less.
	stoppedStill = 500 * time.Millisecond
)

// A watch looks at the screen and knows since when it stands still.
type watch struct {
	pane  *Pane
	when  time.Time // of the last look
	view  agent.Sees
	blank bool
	last  string
	drawn mark // since when the screen stands still

	foot  mark // since when view.Foot does; see agent.Sees
	moves int  // how often the rest of the screen has changed since
}

// look looks at the screen. One that stands still is looked at less often: a
// look costs 3 ms of processor time over tmux.
func (w *watch) look(ctx context.Context) error {
	if w.still() > stoppedStill && proc.Stopped(w.pane.term.Pid()) {
		return ErrStopped
	}
	if w.still() > time.Second && time.Since(w.when) < workLook && w.drawn.set() {
		return nil
	}
	return w.lookNow(ctx)
}

// lookNow looks however still the screen stands.
func (w *watch) lookNow(ctx context.Context) error {
	w.when = time.Now()
	screen, err := w.pane.term.Screen(ctx)
	if err != nil {
		return err
	}
	if screen != w.last || !w.drawn.set() {
		before := w.view.Foot
		w.last, w.drawn = screen, w.pane.mark()
		w.view = w.pane.Agent.See(screen)
		w.blank = len(text.Visible(screen)) == 0
		w.moves++
		if w.view.Foot != before || !w.foot.set() {
			w.foot, w.moves = w.drawn, 0
		}
	}
	return nil
}

// still is how long the screen has not changed.
func (w *watch) still() time.Duration { return w.drawn.since() }

// busy tells whether the agent stands still because it works.
func (w *watch) busy() bool { return w.pane.worked(w.drawn) }

// blocked returns the dialog that the agent waits in: a menu that has been drawn
// to its end, or one of any kind that has stood still for long without an input
// line.
func (w *watch) blocked(long time.Duration) error {
	still := w.foot.since()
	switch {
	case w.view.Input:
		return nil
	case w.blank:
		long = blankStill // it may be starting
	}
	switch {
	case w.view.Menu != nil && still >= 100*time.Millisecond:
		return blockedBy(w.view.Menu)
	case still >= long && !w.pane.worked(w.foot),
		// It works, but only at its clock: that moves, and what stands below does
		// not (a form of an MCP server's on 2.1.158).
		still >= idleQuiet && w.moves >= manyMoves && long < bootStill:
		return &BlockedError{Kind: unknown, Highlighted: -1}
	}
	return nil
}
