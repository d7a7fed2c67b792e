package tuiturn

import (
	"context"
	"errors"
	"log/slog"
)

// Stats returns the current numbers. It is safe for concurrent use.
func (r *Runner) Stats() Stats {
	r.mu.Lock()
	pool := r.pool
	r.mu.Unlock()
	s := r.counts.stats()
	s.Running, s.Waiting = r.admission.Counts()
	s.Drift, s.Pool = r.drift.Counts(), pool.stats()
	return s
}

// ended counts and logs a turn that has ended.
func (r *Runner) ended(ctx context.Context, res *Result, err error) {
	outcome := Outcome(err)
	r.counts.add(func(s *Stats) {
		if s.Turns == nil {
			s.Turns = make(map[string]int64)
		}
		s.Turns[outcome]++
	})
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelWarn
	}
	t := res.Timings
	attrs := []slog.Attr{
		slog.String("session", res.SessionID), slog.String("outcome", outcome),
		slog.String("terminal", string(res.Terminal)), slog.Bool("warm", res.Warm),
		slog.String("version", res.AgentVersion), slog.String("model", res.Model),
		slog.Int64("input_tokens", res.Usage.InputTokens), slog.Int64("output_tokens", res.Usage.OutputTokens),
		slog.Duration("queue", t.Queue), slog.Duration("boot", t.Boot), slog.Duration("submit", t.Submit),
		slog.Duration("answer", t.Answer), slog.Duration("teardown", t.Teardown), slog.Duration("total", t.Total),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	r.log().LogAttrs(ctx, level, "turn", attrs...)
}

// Outcome reduces a turn's error to one of a few words, for metrics and logs:
//
//	answer          nil
//	truncated       ErrTruncated
//	refused         ErrRefused
//	no_answer       ErrNoAnswer, ErrNotAccepted
//	diverged        *DivergenceError
//	authentication  ErrAuthentication
//	service         *APIError
//	blocked         *BlockedError
//	interrupted     ErrInterrupted
//	stopped         ErrStopped
//	exited          *ExitError
//	prompt          ErrEmptyPrompt, ErrInvalidPrompt
//	queue_full      ErrQueueFull
//	busy            ErrBusy
//	closed          ErrClosed
//	deadline        context.DeadlineExceeded
//	canceled        context.Canceled
//	other           any other error: ErrEnded without an *ExitError, the home cannot
//	                be prepared, the agent is not installed, another credential was
//	                found (tuiauth.ErrCredential)
//
// If an error matches several rows, closed, deadline and canceled take precedence, in
// this order; then the first row of the list that matches.
func Outcome(err error) string {
	if err == nil {
		return "answer"
	}
	for _, o := range []struct {
		is   func(error) bool
		name string
	}{
		{isErr(ErrClosed), "closed"},
		{isErr(context.DeadlineExceeded), "deadline"},
		{isErr(context.Canceled), "canceled"},
		{isErr(ErrTruncated), "truncated"},
		{isErr(ErrRefused), "refused"},
		{isErr(ErrNoAnswer), "no_answer"},
		{isErr(ErrNotAccepted), "no_answer"},
		{hasErr[*DivergenceError], "diverged"},
		{isErr(ErrAuthentication), "authentication"},
		{hasErr[*APIError], "service"},
		{hasErr[*BlockedError], "blocked"},
		{isErr(ErrInterrupted), "interrupted"},
		{isErr(ErrStopped), "stopped"},
		{hasErr[*ExitError], "exited"},
		{isErr(ErrEmptyPrompt), "prompt"},
		{isErr(ErrInvalidPrompt), "prompt"},
		{isErr(ErrQueueFull), "queue_full"},
		{isErr(ErrBusy), "busy"},
	} {
		if o.is(err) {
			return o.name
		}
	}
	return "other"
}

func isErr(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func hasErr[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
