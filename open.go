package tuiturn

import (
	"context"
	"errors"
	"slices"

	"github.com/tuiturn/tuiturn/internal/drive"
	"github.com/tuiturn/tuiturn/internal/redact"
	"github.com/tuiturn/tuiturn/internal/secret"
	"github.com/tuiturn/tuiturn/internal/text"
	"github.com/tuiturn/tuiturn/internal/uuid"
)

// open waits until a turn may run, and prepares what turns share. The caller calls
// done. queued, if not nil, is called if the turn has to wait.
func (r *Runner) open(ctx context.Context, queued func()) (_ context.Context, _ *place, done func(), err error) {
	closed, err := r.begin()
	if err != nil {
		return nil, nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(closed, func() { cancel(ErrClosed) })
	undo := []func(){func() { cancel(nil) }, func() { stop() }}
	all := func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}
	in := false
	defer func() {
		if !in { // after an error, or after a panic in queued
			all()
		}
	}()
	leave, err := r.admission.Enter(ctx, queued)
	if err != nil {
		return nil, nil, nil, drive.Cause(ctx, err)
	}
	undo = append(undo, leave)
	place, err := r.enter(ctx)
	if err != nil {
		return nil, nil, nil, drive.Cause(ctx, err)
	}
	undo = append(undo, place.turns.Done)
	idle, err := r.sweeper.busy(ctx)
	if err != nil {
		return nil, nil, nil, drive.Cause(ctx, err)
	}
	undo = append(undo, idle)
	in = true
	return ctx, place, all, nil
}

// begin starts what runs until Close, at its first call. closed ends with Close.
func (r *Runner) begin() (closed context.Context, err error) {
	first := false
	defer func() {
		if first { // without the lock: a log handler may call Stats
			r.log().Info(r.Home.Why())
		}
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if first = r.ctx == nil; first {
		r.ctx, r.cancel = context.WithCancelCause(context.Background())
		r.drift.Log = r.Log
		r.admission.SetLimits(r.Limits.Turns, r.Limits.waiting())
		if r.SweepEvery >= 0 {
			r.sweeper = startSweeper(r.ctx, r.SweepEvery, r.TempDir, r.log(), func() {
				r.counts.add(func(s *Stats) { s.Reaped++ })
			})
		}
		if r.Pool.Size > 0 {
			r.pool = startPool(r.ctx, r.Pool, r.startReady, r.current, r.log())
		}
	}
	return r.ctx, nil
}

// enter counts a turn in and returns the place that turns share. The caller calls
// place.turns.Done.
func (r *Runner) enter(ctx context.Context) (_ *place, err error) {
	lost := ""
	defer func() {
		if lost != "" { // without the lock: a log handler may call Stats
			r.log().Warn("the Runner's private directory is gone; the next turns use a new one", "error", drive.Cleaned(lost))
		}
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if r.place != nil {
		if err := r.place.Lease.Check(); err != nil {
			// A cleaner of temporary files has removed the directory.
			lost = r.place.Lease.Dir()
			r.before = r.place.Lease
			r.retire(r.place)
			r.place = nil
			r.pool.notify() // the ready agents in that place are useless
		}
	}
	if r.place == nil {
		if r.before != nil {
			r.before.RemakeParent()
		}
		if r.place, err = newPlace(ctx, r.TempDir, r.TmuxSocket); err != nil {
			return nil, err
		}
	}
	r.place.turns.Add(1)
	return r.place, nil
}

// current tells whether turns still begin in a place.
func (r *Runner) current(p *place) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.place == p && p.Lease.Check() == nil
}

// retire closes a place when its turns have ended.
func (r *Runner) retire(p *place) {
	r.retiring.Go(func() {
		p.turns.Wait()
		if err := p.close(); err != nil {
			r.log().Warn("cannot close the private directory that was removed", "error", err)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.retired = append(r.retired, p)
		}
	})
}

// setup returns the setup for a request. op names the step that failed.
func (r *Runner) setup(req Request) (s setup, op string, err error) {
	if err := r.check(); err != nil {
		return s, "starting the turn", err
	}
	if err := r.checkEnv("Request.Env", req.Env); err != nil {
		return s, "starting the turn", err
	}
	if s, err = newSetup(req); err != nil {
		return s, "checking the request", err
	}
	return s, "", nil
}

func (r *Runner) newSeat(place *place, s setup, session string, redactor *redact.Redactor) (*seat, error) {
	kind, err := r.terminal()
	if err != nil {
		return nil, err
	}
	return &seat{Pane: drive.New(s.config(r.host(), r.agent(), place, kind, session), redactor), place: place, leave: func() {}}, nil
}

// startReady starts an agent for the pool.
func (r *Runner) startReady(ctx context.Context, s setup) (*seat, error) {
	place, err := r.enter(ctx)
	if err != nil {
		return nil, drive.Cause(ctx, err)
	}
	ctx, cancel := context.WithTimeout(ctx, bootWait)
	defer cancel()
	seat, err := r.newSeat(place, s, uuid.New(), redact.New(r.secrets(&s.Request)...))
	if err != nil {
		place.turns.Done()
		return nil, &Error{Op: "choosing a terminal", Err: err}
	}
	seat.leave, seat.unreported = place.turns.Done, true
	op, err := seat.Prepare(ctx)
	if err == nil {
		op, err = seat.Boot(ctx)
	}
	if err == nil {
		return seat, nil
	}
	screen, err := seat.Explain(ctx, err)
	if closeErr := seat.close(); closeErr != nil {
		r.log().Warn("cannot end an agent that did not start", seat.LogID(), "error", closeErr)
	}
	return nil, &Error{Op: op, SessionID: seat.SessionID(), Screen: screen, Err: public(err)}
}

// Warm waits until an agent is ready for requests like req. It ignores req.Prompt, and
// of the callbacks only whether OnDelta is set matters. Without a Pool it returns an
// error. If an agent fails to start, the error is an *Error. If ctx ends first, the
// error wraps ctx's error and cause.
func (r *Runner) Warm(ctx context.Context, req Request) error {
	if r.Pool.Size <= 0 {
		return errors.New("the Runner keeps no agents ready: set Runner.Pool.Size")
	}
	s, _, err := r.setup(req)
	if err != nil {
		return err
	}
	if _, err := r.begin(); err != nil {
		return err
	}
	return r.pool.warm(ctx, s)
}

// secrets returns the values that no error or log may show.
func (r *Runner) secrets(req *Request) []string {
	return slices.Concat(
		secret.Values(slices.Concat(r.Env, req.Env, r.Environ)), secretsOfMCP(req.MCPConfig),
		[]string{r.Token.Reveal(), text.Normalize(req.Prompt), req.SystemPrompt},
	)
}
