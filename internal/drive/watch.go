package drive

import (
	"context"
	"time"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/internal/text"
)

const (
	// bootLook is the interval between looks at the screen while the agent starts or
	// takes its prompt. workLook is the interval while the agent works: then a look
	// only searches for a dialog, or for an end that the transcript does not record.
	bootLook = 20 * time.Millisecond
	workLook = 250 * time.Millisecond

	// enterAgain is how long submit waits for the prompt's line before it presses Enter
	// again. The agent writes its transcript every 100 ms.
	enterAgain = 400 * time.Millisecond

	// finishWait is how long an agent that rests may take to finish the turn before, whose
	// end its hook has reported. It takes some ms.
	finishWait = time.Second

	// maxEnters limits how often Enter is pressed. If an idle agent has not sent the
	// prompt by then, it is not going to.
	maxEnters = 10

	// bootStill, submitStill and workStill are how long a screen without an input line
	// may be still before it counts as an unknown dialog. blankStill is that time for
	// an empty screen. After the editor an agent waits for the shell that ran it. A
	// working agent shows its input line all the time.
	bootStill   = 8 * time.Second
	submitStill = 2 * time.Second
	workStill   = time.Second
	blankStill  = 30 * time.Second

	// manyMoves is how often an agent's clock must move to show that the agent draws.
	manyMoves = 5

	// toldWait is how long a dialog must stand during a turn before it counts. The
	// agent may have drawn it after the end of the turn, and it records the end 100 ms
	// later.
	toldWait = 500 * time.Millisecond

	// restWindow is how long an agent that rests is idle. Beside four busy loops on two
	// cores an idle agent works, or waits for a core, for some hundredths of such a
	// time, and one that works for all of it.
	restWindow = 150 * time.Millisecond

	// redrawing is how long an agent takes to draw its screen anew. An agent that works,
	// or waits for a core, has redrawingBusy.
	redrawing     = 300 * time.Millisecond
	redrawingBusy = 2 * time.Second

	// stoppedStill is how long the screen is still before the agent's process is
	// checked for a stop signal. A debugger stops it for a shorter time.
	stoppedStill = 500 * time.Millisecond
)

// A watch looks at the screen and knows how long the screen has been still.
type watch struct {
	pane  *Pane
	first mark // look
	when  mark // of the last look
	gap   gap  // before this look
	slow  bool // there was one before the last look
	view  agent.Sees
	blank bool
	last  string
	drawn mark // when the screen changed last

	foot  mark // when view.Foot changed last; see agent.Sees
	moves int  // how often the rest of the screen has changed since then

	redraws int    // since the input line was there last
	dialog  string // the Foot that stood then
	stood   mark   // since then
	asking  mark   // when the agent was asked to redraw
	asked   mark   // and when its terminal had its size again

	escaped mark // when a menu was declined last; see unblock

	lately, now mark // the starts of the last two windows of restWindow; see rests
}

// look looks at the screen. A still screen is looked at less often: a look costs 3 ms
// of processor time over tmux.
func (w *watch) look(ctx context.Context) error {
	w.gap = gap{} // each counts once
	if w.still() > stoppedStill && proc.Stopped(w.pane.term.Pid()) {
		return ErrStopped
	}
	if w.still() > time.Second && w.when.since() < workLook && w.drawn.set() {
		return nil
	}
	return w.lookNow(ctx)
}

// lookNow looks at the screen, however long it has been still.
func (w *watch) lookNow(ctx context.Context) error {
	screen, err := w.pane.term.Screen(ctx)
	if err != nil {
		return err
	}
	w.pane.looks.Add(1)
	if w.gap = w.pane.gap(w.when); w.gap.time > 0 {
		for _, m := range []*mark{&w.first, &w.drawn, &w.foot, &w.stood, &w.asking, &w.asked, &w.escaped} {
			m.skip(w.gap)
		}
		if !w.slow { // a pause; where all looks take long, the agent has had the time
			w.lately, w.now = mark{}, mark{}
		}
	}
	w.slow = w.gap.time > 0
	now := w.pane.mark()
	w.when = now
	if !w.first.set() {
		w.first = now
	}
	if !w.now.set() || w.now.since() >= restWindow {
		w.lately, w.now = w.now, now
	}
	if screen != w.last || !w.drawn.set() {
		before := w.view.Foot
		w.last, w.drawn = screen, now
		w.view = w.pane.Agent.See(screen)
		w.blank = len(text.Visible(screen)) == 0
		w.moves++
		if w.view.Input {
			w.redraws = 0
		}
		if w.view.Foot != before || !w.foot.set() {
			w.foot, w.moves = w.drawn, 0
			if w.redraws > 0 && w.asked.since() < redrawingBusy && w.view.Foot == w.dialog {
				w.foot = w.stood // it is the same dialog, drawn anew
			}
		}
	}
	return nil
}

// still returns how long the screen has not changed.
func (w *watch) still() time.Duration { return w.drawn.since() }

// busy tells whether the screen is still because the agent works.
func (w *watch) busy() bool { return w.pane.busy(w.drawn) }

// rests tells whether the agent has been idle lately, for restWindow at least. Unlike
// busy it does not take an average over all the time that the screen is still, in which
// a burst of work would hide for long that the agent rests now. An agent that is looked
// at for a shorter time does not rest.
func (w *watch) rests() bool { return w.lately.set() && !w.pane.worked(w.lately) }

// blocked returns the dialog that the agent waits in: a menu that is completely drawn,
// or an unknown dialog. An unknown dialog is a screen without an input line that has
// been still for long, and that the agent has drawn twice.
func (w *watch) blocked(ctx context.Context, long time.Duration) error {
	still := w.foot.since()
	switch {
	case w.view.Input:
		return nil
	case w.blank:
		long = blankStill // the agent may be starting
	}
	switch {
	case w.redraws > 0 && (w.asked.since() < redrawing || w.asked.since() < redrawingBusy && !w.rests()):
		return nil
	case w.view.Menu != nil && still >= 100*time.Millisecond:
		if w.view.Menu.Kind == agent.Other && w.mayRedraw() {
			return w.redraw(ctx) // a prompt in an input line in pieces looks like a menu
		}
		return blockedBy(w.view.Menu)
	case still >= long/2 && w.mayRedraw() && !w.pane.busy(w.foot):
		return w.redraw(ctx)
	case still >= long && !w.pane.busy(w.foot),
		// The agent works, but only at its clock: the clock moves, and the rows below
		// do not (a form of an MCP server's on 2.1.158).
		still >= idleQuiet && w.moves >= manyMoves && long < bootStill:
		return &BlockedError{Kind: unknown, Highlighted: -1}
	}
	return nil
}

// redraw makes the agent draw its screen anew. An agent and its terminal may disagree
// about the width of a character, and then about the cursor's row: the agent overwrites
// the wrong rows, and its input line is in pieces until it draws everything (2.1.158 in
// tmux 3.3a, one of 40 prompts with emoji of several code points).
func (w *watch) redraw(ctx context.Context) error {
	w.redraws++
	w.asking = w.pane.mark()
	w.dialog, w.stood = w.view.Foot, w.foot
	w.pane.Log.Info("the agent's screen has no input line; it is drawn anew", w.pane.LogID())
	if err := w.pane.term.Redraw(ctx); ctx.Err() != nil {
		return Why(ctx)
	} else if err != nil { // the agent may have ended: the next look tells
		w.pane.Log.Warn("the agent's screen cannot be drawn anew", w.pane.LogID(), "error", err)
	}
	w.asked = w.pane.mark()
	return nil
}

// maxRedraws is how often the agent is asked to draw a screen that stays as it is.
const maxRedraws = 2

// mayRedraw tells whether the agent was not asked to draw its screen anew yet, or has not
// done it: an agent that gets no core in time sees no other size.
func (w *watch) mayRedraw() bool {
	return w.redraws == 0 || w.redraws < maxRedraws && w.drawn.at.Before(w.asking.at)
}
