package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/internal/text"
	"github.com/tuiturn/tuiturn/transcript"
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
	pane  *pane
	when  time.Time // of the last look
	view  agent.Sees
	blank bool
	last  string
	since time.Time
	work  time.Duration // the agent's, then

	foot      string // see Agent; empty while the input line is there
	footSince time.Time
	footWork  time.Duration
	moves     int // how often the rest of the screen has changed since
}

// look looks at the screen. One that stands still is looked at less often: a
// look costs 3 ms of processor time over tmux.
func (w *watch) look(ctx context.Context) error {
	if w.still() > stoppedStill && proc.Stopped(w.pane.term.Pid()) {
		return ErrStopped
	}
	if w.still() > time.Second && time.Since(w.when) < workLook && !w.since.IsZero() {
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
	if screen != w.last || w.since.IsZero() {
		w.last, w.since = screen, time.Now()
		w.view = w.pane.agent.See(screen)
		w.blank = len(text.Visible(screen)) == 0
		w.work, _ = proc.WorkTime(w.pane.term.Pid())
		w.moves++
		if w.view.Foot != w.foot || w.footSince.IsZero() {
			w.foot, w.footSince, w.footWork, w.moves = w.view.Foot, w.since, w.work, 0
		}
	}
	return nil
}

// still is how long the screen has not changed.
func (w *watch) still() time.Duration { return time.Since(w.since) }

// busy tells whether the agent stands still because it works: for more than a
// fifth of the time it has run or wanted to. Waiting it does for some hundredths.
func (w *watch) busy() bool { return w.worked(w.work, w.still()) }

func (w *watch) worked(before, d time.Duration) bool {
	work, ok := proc.WorkTime(w.pane.term.Pid())
	return ok && work-before > d/5
}

// blocked returns the dialog that the agent waits in: a menu that has been drawn
// to its end, or one of any kind that has stood still for long without an input
// line.
func (w *watch) blocked(long time.Duration) error {
	still := time.Since(w.footSince)
	switch {
	case w.view.Input:
		return nil
	case w.blank:
		long = blankStill // it may be starting
	}
	switch {
	case w.view.Menu != nil && still >= 100*time.Millisecond:
		return blockedBy(w.view.Menu)
	case still >= long && !w.worked(w.footWork, still),
		// It works, but only at its clock: that moves, and what stands below does
		// not (a form of an MCP server's on 2.1.158).
		still >= idleQuiet && w.moves >= manyMoves && long < bootStill:
		return &BlockedError{Kind: "unknown", Highlighted: -1}
	}
	return nil
}

const (
	// maxDeclined is how many questions of its own an agent may begin with.
	maxDeclined = 4

	// declineAgain is how long a declined menu may stay: 2.1.330 took over
	// 0.4 s to act on an Escape while it started on a busy machine.
	declineAgain = time.Second
)

// decline answers a menu that the agent shows before it takes a prompt, an offer
// or an announcement, with Escape, and tells whether it did. Escape takes no
// offer and grants nothing. Questions about trust, the login and the settings are
// for the operator, and Escape would end the agent there, as it does wherever an
// option is to exit (2.1.104 to 2.1.332).
func (p *pane) decline(ctx context.Context, menu *agent.Menu) bool {
	switch menu.Kind {
	case agent.Trust, agent.Login, agent.Onboarding, agent.Settings:
		return false
	}
	if slices.ContainsFunc(menu.Options, exits.MatchString) {
		return false
	}
	if p.declined >= maxDeclined || p.term.SendKeys(ctx, p.agent.Traits().Keys.Stop) != nil {
		return false
	}
	p.declined++
	p.refused = blockedBy(menu)
	p.runner.log().Info("declined a menu of the agent's", "session", p.session, "options", p.redactor.RedactAll(menu.Options))
	return true
}

var exits = regexp.MustCompile(`(?i)\b(exit|quit)\b`)

// unblock is blocked for an agent that has no prompt yet, and declines what can be
// declined.
func (w *watch) unblock(ctx context.Context) error {
	err := w.blocked(bootStill)
	if err == nil {
		return nil
	}
	if w.view.Menu == nil || !w.pane.decline(ctx, w.view.Menu) {
		return err
	}
	w.footSince = time.Now().Add(declineAgain)
	return nil
}

// ready waits for the agent's input line.
func (p *pane) ready(ctx context.Context) error {
	w := watch{pane: p}
	tick := time.NewTicker(bootLook)
	defer tick.Stop()
	for {
		if err := w.look(ctx); err != nil {
			return cause(ctx, err)
		}
		if w.view.Input {
			p.refused = nil // the agent has lived through it
			return nil
		}
		if err := w.unblock(ctx); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-p.term.Done():
			return os.ErrProcessDone
		case <-ctx.Done():
			return why(ctx)
		}
	}
}

// deliver puts the prompt into the input line, through the editor if it can be.
func (t *turn) deliver(ctx context.Context) error {
	err := t.door.deliver(ctx, t.pane, t.given.Put)
	if !errors.Is(err, errNoDoor) {
		return cause(ctx, err)
	}
	t.door = nil // nor will the next prompt wait for it
	w := watch{pane: t.pane}
	if err := w.look(ctx); err != nil {
		return cause(ctx, err)
	}
	if !w.view.Input {
		// Declines or reports what is there instead.
		if err := t.ready(ctx); err != nil {
			return err
		}
	}
	t.given.Pasted = true
	t.runner.log().Warn("the agent does not open an editor; the prompt is pasted", "session", t.res.SessionID)
	return cause(ctx, t.paste(ctx))
}

// submit presses Enter until the prompt stands in the transcript. An agent that
// has just started, or just been pasted into, loses the first.
//
// Enter goes only to an input line that still holds what was put there: once a
// prompt is accepted the line is empty, and an Enter too many could answer a
// question that the agent asks meanwhile. And only while the agent rests: on a
// busy machine 2.1.158 had taken the first Enter and drawn nothing 0.4 s later,
// and the second then said yes to its question.
func (t *turn) submit(ctx context.Context) error {
	w := watch{pane: t.pane}
	tick := time.NewTicker(bootLook)
	defer tick.Stop()
	ended := t.term.Done()
	var drained <-chan time.Time
	for {
		if drained == nil {
			err := t.press(ctx, &w)
			if err != nil && !errors.Is(err, os.ErrProcessDone) { // what it has written is still to be read
				return cause(ctx, err)
			}
		}
		select {
		case ev := <-t.events:
			t.take(ev)
			if _, ok := t.log.Received(); ok && !t.doubtful() {
				return nil
			}
			if t.halted != nil && t.halted.Kind == "blocked_by_hook" {
				return cause(ctx, t.refused(ctx, t.halted))
			}
			if t.log.Unmatched() != "" {
				return fmt.Errorf("%w as it was given: its transcript has another text", ErrNotAccepted)
			}
		case hook := <-t.hooks:
			// 2.1.158 can show and record parts of an answer before it records the
			// prompt, and record them in another order than it showed them.
			t.hooked(hook)
		case err := <-t.followErr:
			return cause(ctx, err)
		case <-tick.C:
			if _, ok := t.log.Received(); ok && t.taken(&w) {
				return nil
			}
		case <-ended:
			// It may have answered before.
			ended, drained = nil, time.After(2*transcript.DefaultSettle)
		case <-drained:
			return os.ErrProcessDone
		case <-ctx.Done():
			return why(ctx)
		}
	}
}

// press looks at the screen and presses Enter if it is time.
func (t *turn) press(ctx context.Context, w *watch) error {
	if err := w.look(ctx); err != nil {
		return err
	}
	switch {
	case !w.view.Input:
		err := w.blocked(submitStill)
		if time.Since(w.footSince) < toldWait {
			return nil
		}
		if t.asks(err) && time.Since(w.footSince) < idleQuiet {
			return nil // 2.1.158 and 2.1.330 may ask before they record the prompt; answer sees to it
		}
		return err
	case w.view.Text == "":
		// Not drawn yet, or taken and not recorded yet. Neither lasts.
		t.entered.taken = !t.entered.since.IsZero()
		if w.still() >= idleQuiet && !w.view.Working && !w.busy() {
			return fmt.Errorf("%w: its input line is empty and its transcript has no prompt: perhaps a UserPromptSubmit hook of the home's blocked it, which claude before 2.1.294 does not record (see the screen)", ErrNotAccepted)
		}
	case t.entered.taken:
		// The agent gave it back. With another Enter it would be taken again, and
		// the hook that blocked it would run again (2.1.330 and 2.1.332).
		if w.still() >= idleQuiet && !w.view.Working && !w.busy() {
			return fmt.Errorf("%w: it took the prompt, gave it back to the input line and recorded nothing (see the screen)", ErrNotAccepted)
		}
	case time.Since(t.entered.since) >= enterAgain:
		if !t.entered.since.IsZero() && w.worked(t.entered.work, time.Since(t.entered.since)) {
			t.entered.mark(t.pane)
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
		again := !t.entered.since.IsZero()
		t.entered.mark(t.pane) // also if it fails: the key may have gone
		if err := t.term.SendKeys(ctx, t.agent.Traits().Keys.Submit); err != nil {
			return err
		}
		if again {
			t.runner.counts.add(func(s *Stats) { s.Resubmits++ })
		}
	}
	return nil
}

// An enter is when Enter was last pressed, or the agent was last seen to work
// after it.
type enter struct {
	since time.Time
	work  time.Duration // the agent's, then
	from  int64         // how long the transcript was when it was first pressed
	times int
	taken bool // the input line has been empty since
}

func (e *enter) mark(p *pane) {
	if e.since.IsZero() {
		e.from = fileSize(p.transcript())
	}
	e.since = time.Now()
	e.work, _ = proc.WorkTime(p.term.Pid())
}

// answer follows the transcript to the turn's outcome.
func (t *turn) answer(ctx context.Context) error {
	w := watch{pane: t.pane}
	tick := time.NewTicker(workLook)
	defer tick.Stop()
	ended := t.term.Done()
	var drained <-chan time.Time
	answering := false
	quiet := time.Now() // since when no line has come
	var repeat repeat
	for {
		if !answering && t.log.Outcome().Text != "" {
			answering = true
			t.req.Trace.mark(func(tr *Trace) func() { return tr.Answering })
			quiet = time.Now()
		}
		if t.log.Done() || t.log.Told() && t.whole() {
			return nil
		}
		// A failure without a status is one of the network, which may pass.
		if retry := t.log.Retrying(); retry != nil && retry.Status != 0 && !retry.Retryable() {
			return t.failed(retry)
		}
		if err := repeat.tooLate(ctx, t); err != nil {
			return err
		}
		if t.deltas != nil && t.pass(t.deltas.Next()) {
			quiet = time.Now() // the caller may have taken long, and something come
		}
		select {
		case ev := <-t.events:
			if t.take(ev) {
				quiet = time.Now()
			}
		case hook := <-t.hooks:
			t.hooked(hook)
		case err := <-t.followErr:
			return t.lateOr(ctx, err)
		case <-tick.C:
			if drained != nil {
				continue
			}
			if err := w.look(ctx); err != nil {
				if errors.Is(err, os.ErrProcessDone) {
					continue // what it has written is still to be read
				}
				return t.lateOr(ctx, err)
			}
			if err := w.blocked(workStill); err != nil {
				// 2.1.104 and 2.1.158 offer an upgrade once a usage limit is reached.
				if t.log.Told() {
					return nil
				}
				if len(t.questions) == 0 && time.Since(w.footSince) < toldWait {
					continue
				}
				if t.asks(err) {
					err = t.permit(ctx, &w, err)
				}
				if err != nil && !agentEnded(err) {
					return t.lateOr(ctx, err)
				}
				w, quiet = watch{pane: t.pane}, time.Now()
				continue
			}
			if t.over(&w, time.Since(quiet)) {
				return nil
			}
		case <-ended:
			// The answer may stand in what it wrote last.
			ended, drained = nil, time.After(2*transcript.DefaultSettle)
		case <-drained:
			if t.log.State() == transcript.Final {
				return nil
			}
			return os.ErrProcessDone
		case <-ctx.Done():
			return t.late(ctx)
		}
	}
}

// take takes an event of the transcript, and tells whether it is a line.
func (t *turn) take(ev transcript.Event) bool {
	t.add(ev)
	switch b := ev.Body.(type) {
	case *transcript.User:
		if ev.Meta { // a Stop hook's objection: the agent goes on
			t.stopping, t.lastSaid = false, ""
		}
	case *transcript.HookOutput:
		t.stopping = t.stopping && b.Event != "Stop" // they have run
		if b.Prevents {
			t.halted = b
		}
	}
	_, idle := ev.Body.(*transcript.Idle)
	return !idle
}

// whole tells whether the transcript has come to what the agent had said when it
// stopped.
func (t *turn) whole() bool {
	return t.lastSaid != "" && strings.HasSuffix(strings.TrimSpace(t.log.Outcome().Text), t.lastSaid)
}

// lateOr is late if ctx has ended, which makes everything else fail too, else err.
func (t *turn) lateOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return t.late(ctx)
	}
	return err
}

// late is the error of a context that ended while the agent worked. If the
// service was failing meanwhile it says so too.
func (t *turn) late(ctx context.Context) error {
	err := why(ctx)
	if retry := t.log.Retrying(); retry != nil {
		return fmt.Errorf("%w, while the agent waited %v to repeat a failed request: %w", err,
			retry.Delay.Round(time.Second), t.failed(retry))
	}
	if shown := t.repeats(ctx); shown != nil {
		return fmt.Errorf("%w, while the agent repeated a failed request: %w", err, shown)
	}
	return err
}

// failed is the error of a request that the agent repeats.
func (t *turn) failed(r *transcript.APIRetry) *APIError {
	return &APIError{Status: r.Status, Type: r.Type, Message: t.redactor.Redact(r.Message), Attempts: r.Attempt}
}

// record puts what the transcript tells into the Result.
func (t *turn) record() {
	o, res := t.log.Outcome(), t.res
	res.Text, res.StopReason, res.Model = o.Text, o.StopReason, o.Model
	res.Usage, res.AgentVersion = o.Usage, o.Version
}

// settle turns the transcript's outcome into the turn's.
func (t *turn) settle() (op string, err error) {
	var diverged error
	if t.deltas != nil {
		var rest []transcript.Delta
		rest, diverged = t.deltas.End()
		t.pass(rest)
	}
	o := t.log.Outcome()
	kind := o.Kind
	if t.unrecorded != "" && kind == transcript.Answer {
		kind = transcript.Empty // it was to go on from that
	}
	switch kind {
	case transcript.Answer:
		if diverged != nil {
			return "streaming the answer", diverged
		}
		return "", nil
	case transcript.Truncated:
		err = ErrTruncated
	case transcript.Refused:
		err = ErrRefused
	case transcript.Interrupted:
		err = ErrInterrupted
	case transcript.Failed:
		e := o.APIError
		err = &APIError{Status: e.Status, Type: e.Type, Kind: e.Kind, Message: t.redactor.Redact(e.Message), Attempts: e.Attempts}
	default:
		err = t.noAnswer(o) // explained later
	}
	if diverged != nil {
		err = multierror.Append(err, diverged)
	}
	return "answering", err
}

// cause prefers the reason why ctx ended to the error that followed from it.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return why(ctx)
	}
	return err
}

// why is the reason why ctx ended: its error, and the cause that a host gave.
func why(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) || errors.Is(cause, ErrClosed) || errors.Is(cause, ErrInterrupted) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
