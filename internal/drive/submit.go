package drive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// deliver puts the prompt into the input line, through the editor if it can be.
func (t *Turn) deliver(ctx context.Context) error {
	err := t.door.deliver(ctx, t.Pane, t.Prompt.Put)
	if !errors.Is(err, errNoDoor) {
		return Cause(ctx, err)
	}
	t.door = nil // nor will the next prompt wait for it
	w := watch{pane: t.Pane}
	if err := w.look(ctx); err != nil {
		return Cause(ctx, err)
	}
	if !w.view.Input {
		// Declines or reports what is there instead.
		if err := t.ready(ctx); err != nil {
			return err
		}
	}
	t.Prompt.Pasted = true
	t.Log.Warn("the agent does not open an editor; the prompt is pasted", "session", t.Start.Session)
	return Cause(ctx, t.paste(ctx))
}

// submit presses Enter until the prompt stands in the transcript. An agent that
// has just started, or just been pasted into, loses the first.
//
// Enter goes only to an input line that still holds what was put there: once a
// prompt is accepted the line is empty, and an Enter too many could answer a
// question that the agent asks meanwhile. And only while the agent rests: on a
// busy machine 2.1.158 had taken the first Enter and drawn nothing 0.4 s later,
// and the second then said yes to its question.
func (t *Turn) submit(ctx context.Context) error {
	w := watch{pane: t.Pane}
	tick := time.NewTicker(bootLook)
	defer tick.Stop()
	for {
		if !t.deaf() {
			err := t.press(ctx, &w)
			if err != nil && !errors.Is(err, os.ErrProcessDone) { // what it has written is still to be read
				return Cause(ctx, err)
			}
		}
		// 2.1.158 can show and record parts of an answer before it records the prompt,
		// and record them in another order than it showed them.
		heard, err := t.hear(ctx, tick.C, nil)
		if err != nil {
			return Cause(ctx, err)
		}
		if _, ok := t.log.Received(); ok && (!t.doubtful() || heard == ticked && t.taken(&w)) {
			return nil
		}
		if t.halted != nil && t.halted.Refuses {
			return Cause(ctx, t.refused(ctx, t.halted))
		}
		if t.log.Unmatched() != "" {
			return fmt.Errorf("%w as it was given: its transcript has another text", ErrNotAccepted)
		}
	}
}

// press looks at the screen and presses Enter if it is time.
func (t *Turn) press(ctx context.Context, w *watch) error {
	if err := w.look(ctx); err != nil {
		return err
	}
	switch {
	case !w.view.Input:
		err := w.blocked(submitStill)
		if w.foot.since() < toldWait {
			return nil
		}
		if t.asks(err) && w.foot.since() < idleQuiet {
			return nil // 2.1.158 and 2.1.330 may ask before they record the prompt; answer sees to it
		}
		return err
	case w.view.Text == "":
		// Not drawn yet, or taken and not recorded yet. Neither lasts.
		t.entered.taken = t.entered.again()
		if w.still() >= idleQuiet && !w.view.Working && !w.busy() {
			return fmt.Errorf("%w: its input line is empty and its transcript has no prompt: %s (see the screen)", ErrNotAccepted, t.Agent.Traits().NotTaken)
		}
	case t.entered.taken:
		// The agent gave it back. With another Enter it would be taken again, and
		// the hook that blocked it would run again (2.1.330 and 2.1.332).
		if w.still() >= idleQuiet && !w.view.Working && !w.busy() {
			return fmt.Errorf("%w: it took the prompt, gave it back to the input line and recorded nothing (see the screen)", ErrNotAccepted)
		}
	case time.Since(t.entered.at) >= enterAgain:
		if t.entered.again() && t.worked(t.entered.mark) {
			t.entered.press(t.Pane)
			return nil
		}
		// Read together with another key, Enter would be part of a text.
		if unread, _ := t.term.Unread(ctx); unread > 0 {
			return nil
		}
		// The last look may be old, and a question may stand there by now.
		if err := w.lookNow(ctx); err != nil || !w.view.Input || w.view.Text == "" {
			return err
		}
		if t.entered.times == maxEnters {
			return fmt.Errorf("%w: the prompt stands in its input line, and it does not take Enter (pressed %d times)", ErrNotAccepted, maxEnters)
		}
		t.entered.times++
		again := t.entered.again()
		t.entered.press(t.Pane) // also if it fails: the key may have gone
		if err := t.term.SendKeys(ctx, t.Agent.Traits().Keys.Submit); err != nil {
			return err
		}
		if again {
			t.Resubmitted()
		}
	}
	return nil
}

// An enter is when Enter was last pressed, or the agent was last seen to work after
// it.
type enter struct {
	mark
	from  int64 // how long the transcript was when it was first pressed
	times int
	taken bool // the input line has been empty since
}

// again tells whether Enter has been pressed.
func (e *enter) again() bool { return !e.at.IsZero() }

func (e *enter) press(p *Pane) {
	if !e.again() {
		e.from = FileSize(p.Transcript())
	}
	e.mark = p.mark()
}
