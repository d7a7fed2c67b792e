package tuiturn

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
)

// Stats are numbers to watch. They encode to JSON, so that
//
//	expvar.Publish("tuiturn", expvar.Func(func() any { return runner.Stats() }))
//
// publishes them.
type Stats struct {
	// Running and Waiting are the turns that are under way and that wait for
	// one to end.
	Running int `json:"running"`
	Waiting int `json:"waiting"`

	// Turns counts the turns that have ended, by their Outcome.
	Turns map[string]int64 `json:"turns"`

	// Boots counts the turns and conversations that found no agent ready and
	// started one; see Pool for the others.
	Boots int64 `json:"boots"`

	// Resubmits counts the Enters that were pressed once more because the
	// agent had not taken the first.
	Resubmits int64 `json:"resubmits"`

	// Reaped counts the processes of dead hosts that were ended.
	Reaped int64 `json:"reaped"`

	// Drift counts what the agents' transcripts hold that is not known, and lack
	// of what is: see transcript.Drift. It is empty unless a version of the agent
	// writes another format.
	Drift map[string]int64 `json:"drift"`

	Pool PoolStats `json:"pool"`
}

// Stats returns the numbers as they are now.
func (r *Runner) Stats() Stats {
	r.mu.Lock()
	pool := r.pool
	r.mu.Unlock()
	s := r.counts.stats()
	s.Running, s.Waiting = r.admission.Counts()
	s.Drift, s.Pool = r.drift.Counts(), pool.stats()
	return s
}

// A tally is what a Runner counts itself.
type tally struct {
	mu sync.Mutex
	Stats
}

func (c *tally) add(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.Stats)
}

func (c *tally) stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.Stats
	s.Turns = maps.Clone(c.Turns)
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

// Outcome puts a turn's error into one of a few words, for metrics and logs:
//
//	answer          there is none
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
//	other           anything else: a home that cannot be prepared, an agent that is
//	                not there, another credential (tuiauth.ErrCredential)
//
// An error can be several of them. Then closed, deadline and canceled count before
// the others, and those in the order of this list.
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
