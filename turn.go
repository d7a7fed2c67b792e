package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/hook"
	"github.com/tuiturn/tuiturn/internal/redact"
	"github.com/tuiturn/tuiturn/internal/secret"
	"github.com/tuiturn/tuiturn/internal/text"
	"github.com/tuiturn/tuiturn/internal/uuid"
	"github.com/tuiturn/tuiturn/transcript"
)

// Turn gives the agent one prompt and returns its answer. It returns when the
// agent and everything it started are gone, also when ctx ends, which ends the
// turn at whatever stage it is.
//
// The Result is never nil: with an error, which is an *Error, it holds what is
// known. An error about the teardown may come with a complete answer.
func (r *Runner) Turn(ctx context.Context, req Request) (*Result, error) {
	began := time.Now()
	res := &Result{SessionID: uuid.New()}
	t := &turn{runner: r, req: &req, res: res, agent: r.agent(), lap: began}
	t.redactor = redact.New(r.secrets(&req)...)

	return t.make(ctx, began, t.run)
}

// errPanic is how a turn ends whose callback has panicked, in its statistics.
var errPanic = errors.New("a callback has panicked")

// make is what Turn does and returns.
func (t *turn) make(ctx context.Context, began time.Time, run func(context.Context) (op string, err error)) (*Result, error) {
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

// end is what Turn returns.
func (t *turn) end(ctx context.Context, began time.Time, op string, err error) (*Result, error) {
	res := t.res
	res.Timings.rest(t.took())
	res.Timings.Total = t.lap.Sub(began)
	t.runner.ended(ctx, res, err)
	t.req.Trace.mark(func(tr *Trace) func() { return tr.Ended })
	if err == nil {
		return res, nil
	}
	return res, t.fault(op, err)
}

// fault is err as an *Error.
func (t *turn) fault(op string, err error) error {
	return &Error{Op: op, SessionID: t.res.SessionID, Screen: t.lastScreen, Err: err}
}

// secrets are the values that no error or log may show.
func (r *Runner) secrets(req *Request) []string {
	return slices.Concat(
		secret.Values(slices.Concat(r.Env, req.Env, r.Environ)), secretsOfMCP(req.MCPConfig),
		[]string{r.Token.Reveal(), text.Normalize(req.Prompt), req.SystemPrompt},
	)
}

// A turn is the state of one Turn.
type turn struct {
	*pane // nil until there is one

	runner   *Runner
	req      *Request
	res      *Result
	agent    agent.Agent
	redactor *redact.Redactor // knows the prompt, too

	given     agent.Prompt
	entered   enter // zero: Enter has not been pressed
	log       *transcript.Turn
	deltas    *transcript.Deltas // nil: nobody asks for them
	events    chan transcript.Event
	hooks     chan hookEvent
	stopping  bool             // the agent's Stop hooks run
	lastSaid  string           // what it had said then
	questions []*hook.Question // that the agent asks and nobody has decided, in the order of their reports
	asking    int              // counts those that have been reported
	followErr chan error
	settled   bool // the agent has ended the turn

	halted     *transcript.HookOutput // by which a hook has stopped the turn
	unrecorded string                 // what is known of an end that nobody has recorded

	// Of a conversation: where this turn begins in the transcript, or ends once
	// it is no longer followed, and the ids of the turn before and of this one.
	offset    int64
	past, ids map[string]bool
	overdue   overdue

	lap        time.Time
	lastScreen string // redacted, set when it can explain a failure
}

// took returns the time since the last call.
func (t *turn) took() time.Duration {
	now := time.Now()
	d := now.Sub(t.lap)
	t.lap = now
	return d
}

// run is the whole life of the turn. op names the part that failed.
func (t *turn) run(ctx context.Context) (op string, err error) {
	if err := ctx.Err(); err != nil {
		return "starting the turn", why(ctx)
	}
	setup, op, err := t.runner.setup(*t.req)
	if err != nil {
		return op, err
	}
	if err := checkPrompt(t.req.Prompt); err != nil {
		return "reading the prompt", err
	}
	if err := t.disarm(nil); err != nil {
		return "reading the prompt", err
	}
	ctx, place, done, err := t.runner.open(ctx, t.queued())
	t.res.Timings.Queue = t.took()
	if err != nil {
		return "starting the turn", err
	}
	defer done()

	// Deferred: a callback may panic, and the host recover.
	defer func() {
		closeErr := t.tearDown()
		t.res.Timings.Teardown = t.took()
		op, err = withTeardown(op, err, closeErr)
	}()
	if op, err = t.start(ctx, place, setup); err == nil {
		op, err = t.live(ctx)
	}
	if t.res.Timings.Boot == 0 {
		t.res.Timings.Boot = t.took() // it failed before the agent was ready
	}
	return op, err
}

// withTeardown adds the error of a teardown to what came before it.
func withTeardown(op string, err, closeErr error) (string, error) {
	switch {
	case closeErr == nil:
		return op, err
	case err == nil:
		return "tearing down", closeErr
	}
	return op, multierror.Append(err, fmt.Errorf("tearing down: %w", closeErr))
}

// disarm makes the prompt fit to be put in. left is what earlier prompts have left in
// the input line.
func (t *turn) disarm(left []string) (err error) {
	t.given = agent.Prompt{Text: t.req.Prompt, Commands: t.req.AllowCommands, Mentions: t.req.AllowMentions}
	t.given.Put, err = t.agent.Disarm(&t.given, left)
	return err
}

// queued is what is called if the turn has to wait.
func (t *turn) queued() func() {
	if t.req.Trace == nil {
		return nil
	}
	return t.req.Trace.Queued
}

// start takes an agent that stands ready, or starts one.
func (t *turn) start(ctx context.Context, place *place, setup setup) (op string, err error) {
	if p := t.fromPool(ctx, setup); p != nil {
		p.redactor, p.untold = t.redactor, false
		t.pane = p
		t.res.SessionID, t.res.Terminal, t.res.Warm = p.session, p.kind, true
		return t.recheck(ctx)
	}
	t.pane = t.runner.newPane(place, setup, t.res.SessionID, t.redactor)
	op, err = t.prepare(ctx)
	t.res.Terminal = t.kind
	if err != nil {
		return op, t.blame(cause(ctx, err))
	}
	t.req.Trace.mark(func(tr *Trace) func() { return tr.Booting })
	t.runner.counts.add(func(s *Stats) { s.Boots++ })
	op, err = t.boot(ctx)
	return op, t.explain(ctx, err)
}

// fromPool returns an agent that stands ready, nil if there is none.
func (t *turn) fromPool(ctx context.Context, setup setup) *pane {
	if setup.resume {
		return nil
	}
	return t.runner.pool.take(ctx, setup)
}

// live is what an agent that stands ready is wanted for.
func (t *turn) live(ctx context.Context) (op string, err error) {
	stop := t.follow(ctx)
	defer func() {
		stop()
		t.record() // on every path: a turn that failed has been paid for too
	}()
	return t.talk(ctx)
}

// talk takes the agent through the turn, which is followed.
func (t *turn) talk(ctx context.Context) (op string, err error) {
	times := &t.res.Timings
	t.req.Trace.mark(func(tr *Trace) func() { return tr.Ready })
	if err := t.handOver(ctx); err != nil {
		return "handing over the prompt", t.explain(ctx, err)
	}
	times.Boot = t.took()
	t.req.Trace.mark(func(tr *Trace) func() { return tr.Delivered })

	err = t.submit(ctx)
	if errors.Is(err, ErrNotAccepted) && t.entered == (enter{}) {
		// Enter was not pressed, for the input line stayed empty. A cleaner of
		// temporary files took what the editor had written before the agent read it.
		t.runner.log().Warn("the prompt did not reach the input line; it is handed over again", "session", t.res.SessionID)
		if err = t.handOver(ctx); err == nil {
			err = t.submit(ctx)
		}
	}
	times.Submit = t.took()
	if err != nil {
		return "submitting the prompt", t.explain(ctx, err)
	}
	t.req.Trace.mark(func(tr *Trace) func() { return tr.Submitted })

	err = t.answer(ctx)
	times.Answer = t.took()
	if err != nil {
		return "waiting for the answer", t.explain(ctx, err)
	}
	t.settled = true
	t.req.Trace.mark(func(tr *Trace) func() { return tr.Done })
	op, err = t.settle()
	if t.unrecorded != "" || errors.Is(err, ErrNoAnswer) {
		err = t.explain(ctx, err)
	}
	return op, err
}

// handOver is deliver with all the files that it needs, and once more if a cleaner
// took the FIFO before the agent had opened it.
func (t *turn) handOver(ctx context.Context) error {
	if err := t.mend(); err != nil {
		return err
	}
	err := t.deliver(ctx)
	if errors.Is(err, fs.ErrNotExist) && t.mend() == nil {
		err = t.deliver(ctx)
	}
	return err
}

// explain adds the last screen to the turn's error, where it tells more than the
// error does.
func (t *turn) explain(ctx context.Context, err error) error {
	if err != nil {
		if b, ok := err.(*BlockedError); ok && !t.entered.since.IsZero() {
			err = b.inTurn()
		}
		t.lastScreen, err = t.pane.explain(ctx, t.redactor, err)
	}
	return err
}

// newLog begins to gather what the transcript tells of the turn.
func (t *turn) newLog() {
	t.log = &transcript.Turn{SessionID: t.session, Match: t.isPrompt, Settle: -1}
	if t.req.OnDelta != nil {
		t.deltas = transcript.NewDeltas(t.log)
	}
}

// follow begins to read the transcript and what the hooks report, mostly from
// before there is any, until stop is called.
func (t *turn) follow(ctx context.Context) (stop func()) {
	t.newLog()
	t.events = make(chan transcript.Event)
	t.hooks = make(chan hookEvent)
	t.followErr = make(chan error, 1)
	follower := transcript.Follower{
		Path:   t.transcript(),
		Offset: t.offset,
		Idle:   transcript.DefaultSettle,
		Drift:  &t.runner.drift,
		Log:    t.runner.Log,
	}
	// Not with the turn: an agent that is told to stop has something to say.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	hooks := fileSize(t.hooksFile())
	var following sync.WaitGroup
	following.Go(func() { t.followHooks(ctx, hooks) })
	following.Go(func() {
		for ev, err := range follower.Events(ctx) {
			if err != nil {
				t.followErr <- err
				return
			}
			ev.Raw = nil // valid only inside this loop
			select {
			case t.events <- ev:
				t.offset = ev.End
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		following.Wait()
		t.dismiss()
	}
}

// tearDown ends the agent and removes its files, whatever came of the turn.
func (t *turn) tearDown() error {
	if t.pane == nil {
		return nil
	}
	return t.pane.close()
}

// fileSize is 0 where there is no file.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func lookup(env []string, name string) (value string) {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}
