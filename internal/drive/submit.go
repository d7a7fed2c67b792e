package drive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// deliver puts the prompt into the input line, through the editor if possible.
func (t *Turn) deliver(ctx context.Context) error {
	err := t.door.deliver(ctx, t.Pane, t.Prompt.Put)
	if !errors.Is(err, errNoDoor) {
		return Cause(ctx, err)
	}
	t.door = nil // so that the next prompt does not wait for it
	w := watch{pane: t.Pane}
	if err := w.look(ctx); err != nil {
		return Cause(ctx, err)
	}
	if !w.view.Input {
		// Declines or reports the menu that is there instead.
		if err := t.ready(ctx); err != nil {
			return err
		}
	}
	t.Prompt.Pasted = true
	t.Log.Warn("the agent does not open an editor; the prompt is pasted", t.LogID())
	return Cause(ctx, t.paste(ctx))
}

// submit presses Enter until the prompt is in the transcript. An agent that has just
// started, or has just got a paste, loses the first Enter.
//
// Enter goes only to an input line that still holds the prompt. Once a prompt is
// accepted the line is empty, and a surplus Enter could answer a question that the
// agent asks meanwhile. And Enter is pressed only while the agent rests. On a busy
// machine 2.1.158 had taken the first Enter and drawn nothing 0.4 s later, and the
// second Enter then said yes to its question.
func (t *Turn) submit(ctx context.Context) error {
	w := watch{pane: t.Pane}
	tick := time.NewTicker(bootLook)
	defer tick.Stop()
	for heard := ticked; ; {
		if heard == ticked && !t.deaf() {
			err := t.press(ctx, &w)
			if err != nil && !errors.Is(err, os.ErrProcessDone) { // the agent's last lines are still to be read
				return Cause(ctx, err)
			}
		}
		// 2.1.158 can show and record parts of an answer before it records the prompt.
		// It records them in another order than it shows them.
		var err error
		if heard, err = t.hear(ctx, tick.C, nil); err != nil {
			if ctx.Err() != nil && t.finishes(&w) {
				return fmt.Errorf("%w, and the agent still worked on something of its own (see the screen)", Why(ctx))
			}
			return Cause(ctx, err)
		}
		if _, ok := t.log.Received(); ok && (!t.doubtful() || heard == ticked && t.taken(&w)) {
			return nil
		}
		if t.halted != nil && t.halted.Refuses {
			return Cause(ctx, t.refused(ctx, t.halted))
		}
		if t.log.Unmatched() != "" {
			return fmt.Errorf("%w as it was given: the transcript has another text", ErrNotAccepted)
		}
	}
}

// errUnnamed is the error of an agent that does not tell what it calls the session.
var errUnnamed = errors.New("the agent has not reported its name for the session, so its log cannot be read: perhaps its hooks are switched off")

// press looks at the screen and presses Enter if it is time.
func (t *Turn) press(ctx context.Context, w *watch) error {
	if err := w.look(ctx); err != nil {
		return err
	}
	t.entered.skip(w.gap)
	if t.doubtful() {
		t.overdue.since = t.overdue.since.Add(w.gap.time)
	}
	if lines, err := t.catchUp(); lines || err != nil {
		return err
	}
	switch {
	case !w.view.Input:
		err := w.blocked(ctx, submitStill)
		if w.foot.since() < toldWait {
			return nil
		}
		if t.asks(err) && w.foot.since() < idleQuiet {
			return nil // 2.1.158 and 2.1.330 may ask before they record the prompt; answer handles that
		}
		return err
	case w.view.Text == "":
		// The prompt is not drawn yet, or is taken and not recorded yet. Neither lasts.
		t.entered.taken = t.entered.again()
		if w.still() >= idleQuiet && !w.view.Working && !w.busy() {
			switch {
			case !t.entered.taken:
				return fmt.Errorf("%w: it has closed its editor, and its input line is still empty (see the screen)", ErrNotAccepted)
			case t.SessionID() == "": // it is named with its first prompt
				return errUnnamed
			}
			return fmt.Errorf("%w: its input line is empty and its transcript has no prompt: %s (see the screen)", ErrNotAccepted, t.Agent.Traits().NotTaken)
		}
	case t.entered.taken:
		// The agent gave the prompt back. Another Enter would submit it again, and the
		// hook that blocked it would run again (2.1.330 and 2.1.332).
		if w.still() >= idleQuiet && !w.view.Working && !w.busy() {
			return fmt.Errorf("%w: it took the prompt, gave it back to the input line and recorded nothing (see the screen)", ErrNotAccepted)
		}
	case t.finishes(w):
	case time.Since(t.entered.at) >= enterAgain:
		if t.entered.again() && t.busy(t.entered.mark) {
			t.entered.press(t.Pane)
			return nil
		}
		// If the agent read Enter together with another key, Enter would be part of a
		// text.
		if unread, _ := t.term.Unread(ctx); unread > 0 {
			return nil
		}
		// The last look may be old, and a question may be there by now.
		if err := w.lookNow(ctx); err != nil || !w.view.Input || w.view.Text == "" || t.finishes(w) {
			return err
		}
		if lines, err := t.catchUp(); lines || err != nil {
			return err
		}
		if t.entered.times == maxEnters {
			return fmt.Errorf("%w: the prompt is in its input line, but it does not take Enter (pressed %d times)", ErrNotAccepted, maxEnters)
		}
		t.entered.times++
		again := t.entered.again()
		t.entered.press(t.Pane) // also if SendKeys fails: the key may have arrived
		if err := t.term.SendKeys(ctx, t.Agent.Traits().Keys.Submit); err != nil {
			return err
		}
		if again {
			t.Resubmitted()
		}
	}
	return nil
}

// finishes tells whether the agent still finishes the turn before. A prompt that is
// submitted meanwhile is queued.
func (t *Turn) finishes(w *watch) bool {
	return !t.entered.again() && w.view.Working && (w.first.since() < finishWait || !w.rests())
}

// An enter records when Enter was last pressed, or when the agent was last seen to work
// after that.
type enter struct {
	mark
	from  int64 // the transcript's length when Enter was first pressed
	times int   // how often Enter was pressed
	taken bool  // the input line has been empty since
}

// again tells whether Enter has been pressed before.
func (e *enter) again() bool { return !e.at.IsZero() }

func (e *enter) press(p *Pane) {
	if !e.again() {
		e.from = FileSize(p.Transcript())
	}
	e.mark = p.mark()
}
