package drive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn/transcript"
)

// answer follows the transcript until the turn's outcome is known.
func (t *Turn) answer(ctx context.Context) error {
	w := watch{pane: t.Pane}
	tick := time.NewTicker(workLook)
	defer tick.Stop()
	answering := false
	quiet := time.Now() // when the last line came
	var repeat repeat
	for {
		if !answering && t.log.Outcome().Text != "" {
			answering = true
			t.Reached(Answering)
			quiet = time.Now()
		}
		if t.log.Done() || t.log.Told() && t.whole() || t.fails(quiet, transcript.DefaultSettle) {
			return nil
		}
		// A failure without a status is a failure of the network, which may pass.
		if retry := t.log.Retrying(); retry != nil && retry.Status != 0 && !retry.Retryable() {
			return t.failed(retry)
		}
		if err := repeat.tooLate(ctx, t); err != nil {
			return err
		}
		if t.deltas != nil && t.pass(t.deltas.Next()) {
			quiet = time.Now() // the caller may have taken long, and lines may have come meanwhile
		}
		heard, err := t.hear(ctx, tick.C, nil)
		switch {
		case errors.Is(err, os.ErrProcessDone):
			if t.fails(quiet, 0) || t.log.State() == transcript.Final {
				return nil // the agent's last lines held the answer
			}
			return err
		case err != nil:
			return t.lateOr(ctx, err)
		case heard == line:
			quiet = time.Now()
		case heard == ticked && !t.deaf():
			if over, err := t.standstill(ctx, &w, &quiet); over || err != nil {
				return err
			}
		}
	}
}

// standstill checks whether the agent waits for something. quiet is the time of the
// last line. over means that the turn has ended although the transcript does not say
// so.
func (t *Turn) standstill(ctx context.Context, w *watch, quiet *time.Time) (over bool, _ error) {
	err := w.look(ctx)
	switch {
	case errors.Is(err, os.ErrProcessDone):
		return false, nil // the agent's last lines are still to be read
	case err != nil:
		return false, t.lateOr(ctx, err)
	}
	*quiet = quiet.Add(w.gap.time)
	lines, err := t.catchUp()
	switch {
	case err != nil:
		return false, t.lateOr(ctx, err)
	case lines:
		*quiet = time.Now()
		return false, nil
	}
	if len(t.questions) > 0 {
		w.redraws = maxRedraws // a hook has told of the question, so the menu is one
	}
	err = w.blocked(ctx, workStill)
	switch {
	case err == nil:
		return t.over(w, time.Since(*quiet)), nil
	case t.log.Told():
		return true, nil // 2.1.104 and 2.1.158 offer an upgrade once a usage limit is reached
	case len(t.questions) == 0 && w.foot.since() < toldWait:
		return false, nil
	case t.asks(err):
		err = t.permit(ctx, w, err)
	}
	if err != nil && !agentEnded(err) {
		return false, t.lateOr(ctx, err)
	}
	*w, *quiet = watch{pane: t.Pane}, time.Now()
	return false, nil
}

// A failure is an error that a hook has reported.
type failure struct {
	transcript.Event
	at time.Time
}

// fails tells whether a hook has reported an error that ends the turn. The agent's last
// lines may come after the report, so the error counts once no line has come for settle.
// A report of the previous turn may be late, so the error must be of this prompt. quiet
// is the time of the last line.
func (t *Turn) fails(quiet time.Time, settle time.Duration) bool {
	prompt := t.log.PromptID()
	i := slices.IndexFunc(t.failures, func(f failure) bool {
		own := f.PromptID == "" || prompt == "" || f.PromptID == prompt
		return own && min(time.Since(quiet), time.Since(f.at)) >= settle
	})
	if i < 0 {
		return false
	}
	t.log.Add(t.failures[i].Event)
	t.failures = slices.Delete(t.failures, i, i+1)
	return t.log.Told()
}

// take handles an event of the transcript, and tells whether the event is a line.
func (t *Turn) take(ev transcript.Event) bool {
	t.add(ev)
	switch b := ev.Body.(type) {
	case *transcript.User:
		if ev.Meta { // a Stop hook's objection: the agent goes on
			t.stopping, t.lastSaid = false, ""
		}
	case *transcript.HookOutput:
		t.stopping = t.stopping && !b.AtStop // the Stop hooks have run
		if b.Prevents {
			t.halted = b
		}
	}
	_, idle := ev.Body.(*transcript.Idle)
	return !idle
}

// whole tells whether the transcript holds all text that the agent had said when it
// stopped.
func (t *Turn) whole() bool {
	return t.lastSaid != "" && strings.HasSuffix(strings.TrimSpace(t.log.Outcome().Text), t.lastSaid)
}

// lateOr returns late's error if ctx has ended, because then everything else fails too.
// Otherwise it returns err.
func (t *Turn) lateOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return t.late(ctx)
	}
	return err
}

// late returns the error of a context that ended while the agent worked. If the service
// was failing meanwhile, the error says that too.
func (t *Turn) late(ctx context.Context) error {
	err := Why(ctx)
	if retry := t.log.Retrying(); retry != nil {
		return fmt.Errorf("%w, while the agent waited %v to retry a failed request: %w", err,
			retry.Delay.Round(time.Second), t.failed(retry))
	}
	if shown := t.repeats(ctx); shown != nil {
		return fmt.Errorf("%w, while the agent retried a failed request: %w", err, shown)
	}
	return err
}

// failed returns the error for a failed request that the agent will retry.
func (t *Turn) failed(r *transcript.APIRetry) *APIError {
	return &APIError{Status: r.Status, Type: r.Type, Message: t.Redactor.Redact(r.Message), Attempts: r.Attempt}
}
