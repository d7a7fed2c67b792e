package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/drive"
	"github.com/tuiturn/tuiturn/internal/redact"
	"github.com/tuiturn/tuiturn/internal/uuid"
	"github.com/tuiturn/tuiturn/transcript"
)

// Turn gives the agent one prompt and returns the answer. It returns when the agent and
// everything that the agent started have ended. When ctx ends, the turn ends at
// whatever stage it is.
//
// The Result is never nil; with an error it holds what is known. The error is an
// *Error. A complete answer can come with an error about the teardown.
func (r *Runner) Turn(ctx context.Context, req Request) (*Result, error) {
	began := time.Now()
	t := r.newTurn(&req, &Result{}, began)
	t.session = uuid.New()
	t.res.SessionID = r.named(t.session)
	return t.execute(ctx, began, t.run)
}

// errPanic is the error that the statistics count for a turn whose callback panicked.
var errPanic = errors.New("a callback has panicked")

// execute runs a turn and returns what Turn returns.
func (t *turn) execute(ctx context.Context, began time.Time, run func(context.Context) (op string, err error)) (*Result, error) {
	returned := false
	defer func() {
		if !returned {
			t.end(ctx, began, "calling back", errPanic)
		}
	}()
	op, err := run(ctx)
	returned = true
	return t.end(ctx, began, op, err)
}

// end completes the Result, reports the turn and returns what Turn returns.
func (t *turn) end(ctx context.Context, began time.Time, op string, err error) (*Result, error) {
	res := t.res
	res.Timings.rest(t.took())
	res.Timings.Total = t.lap.Sub(began)
	err = public(err)
	t.runner.ended(ctx, res, err)
	if t.req.Trace != nil {
		call(t.req.Trace.Ended)
	}
	if err == nil {
		return res, nil
	}
	return res, t.fault(op, err)
}

// fault wraps err in an *Error.
func (t *turn) fault(op string, err error) error {
	return &Error{Op: op, SessionID: t.res.SessionID, Screen: t.screen, Err: public(err)}
}

// A turn is the state of one call of Turn.
type turn struct {
	runner   *Runner
	req      *Request
	res      *Result
	session  string // its name, unless the agent has another one
	redactor *redact.Redactor

	seat  *seat // nil until the turn has one
	drive drive.Turn

	lap    time.Time
	screen string // the last screen, redacted; set if it can explain a failure
}

// newTurn returns a turn of the Runner.
func (r *Runner) newTurn(req *Request, res *Result, began time.Time) *turn {
	t := &turn{runner: r, req: req, res: res, lap: began}
	t.redactor = redact.New(r.secrets(req)...)
	t.drive = drive.Turn{
		Prompt:      agent.Prompt{Text: req.Prompt, Commands: req.AllowCommands, Mentions: req.AllowMentions},
		Decide:      decider(req.OnPermission),
		Reached:     t.reached,
		Resubmitted: func() { r.counts.add(func(s *Stats) { s.Resubmits++ }) },
	}
	if onDelta := req.OnDelta; onDelta != nil {
		t.drive.OnDelta = func(d transcript.Delta) { onDelta(Delta{Message: d.Message, Text: d.Text, Aside: d.Aside}) }
	}
	return t
}

// named returns a session's name that we have chosen, or "" if only the agent names its
// sessions.
func (r *Runner) named(session string) string {
	if r.agent().Traits().Log.Path == nil {
		return ""
	}
	return session
}

// reached records the time of the stage that the turn has completed, and calls the
// Trace.
func (t *turn) reached(stage drive.Stage) {
	times, trace := &t.res.Timings, t.req.Trace
	if trace == nil {
		trace = &Trace{}
	}
	switch stage {
	case drive.Ready:
		call(trace.Ready)
	case drive.Delivered:
		times.Boot = t.took()
		call(trace.Delivered)
	case drive.Entering:
		times.Submit = t.took()
	case drive.Submitted:
		if t.pooled() && t.drive.Outcome().Text == "" { // else the answer has come with it
			t.runner.pool.release(t.seat)
		}
		call(trace.Submitted)
	case drive.Answering:
		call(trace.Answering)
	case drive.Answered:
		times.Answer = t.took()
		if t.pooled() {
			t.runner.pool.hold(t.seat)
		}
	case drive.Done:
		call(trace.Done)
	}
}

// pooled tells whether the turn, which is no conversation's, has an agent of the pool.
func (t *turn) pooled() bool { return t.seat != nil && t.res.Warm }

// took returns the time since its last call.
func (t *turn) took() time.Duration {
	now := time.Now()
	d := now.Sub(t.lap)
	t.lap = now
	return d
}

// run is the whole turn. op names the step that failed.
func (t *turn) run(ctx context.Context) (op string, err error) {
	if err := ctx.Err(); err != nil {
		return "starting the turn", drive.Why(ctx)
	}
	setup, op, err := t.runner.setup(*t.req)
	if err != nil {
		return op, err
	}
	if err := checkPrompt(t.req.Prompt); err != nil {
		return "reading the prompt", err
	}
	if err := t.drive.Disarm(t.runner.agent(), nil); err != nil {
		return "reading the prompt", err
	}
	ctx, place, done, err := t.runner.open(ctx, t.queued())
	t.res.Timings.Queue = t.took()
	if err != nil {
		return "starting the turn", err
	}
	defer done()

	// Deferred, because a callback may panic and the host may recover.
	defer func() {
		closeErr := t.tearDown()
		if t.pooled() {
			t.runner.pool.release(t.seat)
		}
		t.res.Timings.Teardown = t.took()
		op, err = withTeardown(op, err, closeErr)
	}()
	if op, err = t.start(ctx, place, setup); err == nil {
		op, err = t.live(ctx)
	}
	if t.res.Timings.Boot == 0 {
		t.res.Timings.Boot = t.took() // the turn failed before the agent was ready
	}
	return op, err
}

// withTeardown adds the error of a teardown to the turn's own error.
func withTeardown(op string, err, closeErr error) (string, error) {
	switch {
	case closeErr == nil:
		return op, err
	case err == nil:
		return "tearing down", closeErr
	}
	return op, multierror.Append(public(err), fmt.Errorf("tearing down: %w", closeErr))
}

// queued returns the callback for a turn that has to wait.
func (t *turn) queued() func() {
	if t.req.Trace == nil {
		return nil
	}
	return t.req.Trace.Queued
}

// start takes a ready agent of the pool, or starts a new one.
func (t *turn) start(ctx context.Context, place *place, setup setup) (op string, err error) {
	if s := t.fromPool(ctx, setup); s != nil {
		s.Redactor, s.unreported = t.redactor, false
		t.seat = s
		t.res.SessionID, t.res.Terminal, t.res.Warm = s.SessionID(), TerminalKind(s.Terminal), true
		return s.Recheck(ctx)
	}
	t.seat, err = t.runner.newSeat(place, setup, t.session, t.redactor)
	if err != nil {
		return "choosing a terminal", err
	}
	t.res.Terminal = TerminalKind(t.seat.Terminal)
	if op, err = t.seat.Prepare(ctx); err != nil {
		return op, err
	}
	if t.req.Trace != nil {
		call(t.req.Trace.Booting)
	}
	t.runner.counts.add(func(s *Stats) { s.Boots++ })
	if op, err = t.seat.Boot(ctx); err != nil {
		t.screen, err = t.seat.Explain(ctx, err)
	}
	return op, err
}

// fromPool returns a ready agent of the pool, or nil if there is none.
func (t *turn) fromPool(ctx context.Context, setup setup) *seat {
	if setup.resume != "" {
		return nil
	}
	return t.runner.pool.take(ctx, setup)
}

// live runs the turn in an agent that is ready.
func (t *turn) live(ctx context.Context) (op string, err error) {
	t.drive.Pane = t.seat.Pane
	defer t.record() // on every path: a failed turn used tokens too
	return t.drive.Run(ctx)
}

// record copies what the transcript tells into the Result.
func (t *turn) record() {
	o, res := t.drive.Outcome(), t.res
	res.Text, res.StopReason, res.Model = o.Text, o.StopReason, o.Model
	res.Usage, res.AgentVersion = o.Usage, o.Version
	res.SessionID = t.drive.SessionID()
	if screen := t.drive.Screen(); screen != "" {
		t.screen = screen
	}
}

// tearDown ends the agent and removes its files, after success and failure alike.
func (t *turn) tearDown() error {
	if t.seat == nil {
		return nil
	}
	return t.seat.close()
}
