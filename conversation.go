package tuiturn

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/tuiturn/tuiturn/internal/drive"
	"github.com/tuiturn/tuiturn/internal/redact"
	"github.com/tuiturn/tuiturn/internal/text"
	"github.com/tuiturn/tuiturn/internal/uuid"
	"github.com/tuiturn/tuiturn/transcript"
)

// A Conversation is an agent that takes one prompt after the other and knows what
// was said before. Its methods are safe for concurrent use; it takes one turn at
// a time. Close it when done: until then it is a process of 100 to 300 MB.
//
// Runner.Close closes it too. When its agent is gone, or does not come back to
// its input line after an interruption, the conversation has ended, and
// Runner.Resume goes on with its session.
type Conversation struct {
	runner *Runner
	seat   *seat
	opened Request // what it was opened with: the turns' callbacks
	setup  Request // what is fixed for all turns

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	unhook func() bool // from Runner.Close
	once   sync.Once
	closed error // of the teardown, once it is done

	mu      sync.Mutex
	over    error // why it takes no more turns
	running *running

	// Of the turn that runs.
	session drive.Session
	prompts []string // that the screen may still show
}

// talking are the sessions of the conversations that this process has open.
var talking sync.Map // of sessionKey to *Conversation

type sessionKey struct{ home, session string }

// running is a turn that runs.
type running struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// A TurnRequest is one turn of a Conversation; what else a Request has is fixed
// when it is opened. Only Prompt is required.
type TurnRequest struct {
	// Prompt and AllowCommands are as in Request.
	Prompt        string
	AllowCommands bool

	// OnDelta is as in Request. An answer comes by the line, where the agent can
	// tell, in a conversation that was opened with Request.OnDelta, and otherwise
	// by the message.
	OnDelta func(Delta)

	// Trace is as in Request.
	Trace *Trace
}

// Open starts an agent, or takes one that stands ready, for a conversation. Of req
// the Prompt and AllowCommands do not matter; OnPermission decides for all turns,
// and OnDelta and Trace become those of the turns that have none. ctx is for the start alone.
//
// An open conversation counts as a turn while it starts and while it has one; in
// between it holds no place among Runner.Limits. Its error is an *Error.
func (r *Runner) Open(ctx context.Context, req Request) (*Conversation, error) {
	return r.converse(ctx, uuid.New(), req, false)
}

func (r *Runner) converse(ctx context.Context, session string, req Request, resume bool) (*Conversation, error) {
	req.Prompt, req.AllowCommands = "", false
	t := r.newTurn(&req, &Result{SessionID: session}, time.Now())
	c, op, err := t.open(ctx, resume)
	if err != nil {
		return nil, t.fault(op, err)
	}
	return c, nil
}

// open is what a conversation begins with.
func (t *turn) open(ctx context.Context, resume bool) (c *Conversation, op string, err error) {
	const starting = "starting the conversation"
	r := t.runner
	if ctx.Err() != nil {
		return nil, starting, drive.Why(ctx)
	}
	setup, op, err := r.setup(*t.req)
	if err != nil {
		return nil, op, err
	}
	c = &Conversation{runner: r, opened: *t.req, setup: setup.Request}
	opened := false // not with err, nor when a callback has panicked
	if setup.resume = resume; resume {
		// First, so that nobody else writes what find reads.
		if _, there := talking.LoadOrStore(sessionKey{r.Home.Dir, t.res.SessionID}, c); there {
			return nil, starting, ErrBusy
		}
		defer func() {
			if !opened {
				talking.CompareAndDelete(sessionKey{r.Home.Dir, t.res.SessionID}, c)
			}
		}()
		if err := c.find(setup.workdir, t.res.SessionID); err != nil {
			return nil, "finding the session", err
		}
		t.redactor = redact.New(append(r.secrets(t.req), c.prompts...)...)
	}
	ctx, place, done, err := r.open(ctx, t.queued())
	if err != nil {
		return nil, starting, err
	}
	defer done()
	defer func() { // before done: the place is there until the agent is gone
		if !opened {
			op, err = withTeardown(op, err, t.tearDown())
		}
	}()
	if op, err = t.start(ctx, place, setup); err != nil {
		return nil, op, err
	}
	if !t.res.Warm { // what stood ready holds its place itself
		place.turns.Add(1)
		t.seat.leave = place.turns.Done
	}
	key, leave := sessionKey{r.Home.Dir, t.seat.Start.Session}, t.seat.leave
	talking.Store(key, c)
	t.seat.leave = func() { // its agent is gone, and Runner.Close still waits
		talking.CompareAndDelete(key, c)
		leave()
	}
	opened = true
	c.seat = t.seat
	c.seat.untold = true // when Runner.Close closes it
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.hook(r.ctx)
	return c, "", nil
}

// hook closes the conversation when ctx ends, at once if it has ended.
func (c *Conversation) hook(ctx context.Context) {
	c.mu.Lock() // for end, which may run before AfterFunc returns
	defer c.mu.Unlock()
	c.unhook = context.AfterFunc(ctx, func() { c.Close() })
}

// SessionID is the agent's name for the session, as in Result, for Runner.Resume.
func (c *Conversation) SessionID() string { return c.seat.Start.Session }

// Turn gives the agent the next prompt and returns its answer. Its Result and
// its error are as Runner.Turn's; Timings.Boot is the time until the agent takes
// the prompt, and Timings.Teardown is zero as long as the conversation goes on.
//
// When ctx ends the turn is interrupted as by Interrupt, and the conversation
// goes on. While another turn runs the error is ErrBusy. ErrClosed and ErrEnded
// say that there will be no more; an *ExitError comes with the latter if the
// agent has died, and with the turn in which it did.
func (c *Conversation) Turn(ctx context.Context, req TurnRequest) (*Result, error) {
	began := time.Now()
	full := c.setup
	full.Prompt, full.AllowCommands, full.OnDelta, full.Trace = req.Prompt, req.AllowCommands, req.OnDelta, req.Trace
	full.OnPermission = c.opened.OnPermission
	if full.OnDelta == nil {
		full.OnDelta = c.opened.OnDelta
	}
	if full.Trace == nil {
		full.Trace = c.opened.Trace
	}
	res := &Result{SessionID: c.SessionID(), Terminal: TerminalKind(c.seat.Terminal), Warm: true}
	t := c.runner.newTurn(&full, res, began)
	return t.make(ctx, began, func(ctx context.Context) (string, error) { return c.turn(ctx, t) })
}

// errPanicked is why a conversation ends whose callback has panicked.
var errPanicked = fmt.Errorf("%w: %w", ErrEnded, errPanic)

func (c *Conversation) turn(ctx context.Context, t *turn) (op string, err error) {
	const starting = "starting the turn"
	if ctx.Err() != nil {
		return starting, drive.Why(ctx)
	}
	if err := checkPrompt(t.req.Prompt); err != nil {
		return "reading the prompt", err
	}
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return starting, err
	}
	defer done()
	ctx, place, leave, err := c.runner.open(ctx, t.queued())
	t.res.Timings.Queue = t.took()
	if err != nil {
		return starting, err
	}
	defer leave()

	over := errPanicked
	defer func() {
		if over != nil {
			op, err = withTeardown(op, err, c.end(over))
			t.res.Timings.Teardown = t.took()
		}
	}()
	switch over = c.lost(place); {
	case over != nil:
		op, err = starting, over
	default:
		over = errPanicked
		op, err, over = c.speak(ctx, t)
	}
	if rest := t.took(); t.res.Timings.Boot == 0 {
		t.res.Timings.Boot = rest // it failed before the agent took the prompt
	} else {
		t.res.Timings.Answer += rest // the agent has come back to its input line
	}
	return op, err
}

// begin counts a turn in, which is then the only one. The caller calls done.
func (c *Conversation) begin(ctx context.Context) (_ context.Context, done func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over != nil:
		return nil, nil, c.over
	case c.running != nil:
		return nil, nil, ErrBusy
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.ctx, func() { cancel(ErrClosed) })
	run := &running{cancel, make(chan struct{})}
	c.running = run
	return ctx, func() {
		stop()
		cancel(nil)
		c.mu.Lock()
		c.running = nil
		c.mu.Unlock()
		close(run.done)
	}, nil
}

// lost tells why there is no agent any more, nil if there is one.
func (c *Conversation) lost(place *place) error {
	select {
	case <-c.seat.Done():
		return fmt.Errorf("%w: %w", ErrEnded, c.seat.Exit())
	default:
	}
	if place != c.seat.place {
		return fmt.Errorf("%w: %w", ErrEnded, drive.Cleaned(c.seat.Start.Dir))
	}
	return nil
}

// speak is the turn of an agent that is there. over tells why there will be no
// other one.
func (c *Conversation) speak(ctx context.Context, t *turn) (op string, err, over error) {
	t.redactor = redact.New(append(c.runner.secrets(t.req), c.prompts...)...)
	c.seat.Redactor = t.redactor
	c.remember(t.req.Prompt)
	t.drive.Pane = c.seat.Pane
	defer t.record()
	return c.session.Speak(ctx, c.ctx, &t.drive)
}

// maxPrompts is how many prompts the last rows of the screen can show.
const maxPrompts = 20

// remember keeps a prompt out of what an error shows.
func (c *Conversation) remember(prompt string) {
	if c.prompts = append(c.prompts, text.Normalize(prompt)); len(c.prompts) > maxPrompts {
		c.prompts = slices.Delete(c.prompts, 0, 1)
	}
}

// Interrupt stops the turn that runs, if one does, as a person would: the agent
// stops and waits for the next prompt. The turn fails with ErrInterrupted, and
// its Result has what the agent has recorded of the answer. Interrupt returns
// when the next turn can begin, 0.2 to 0.9 s later on an idle machine. Its error is
// ErrEnded if the agent did not stop within two seconds, or did not leave an empty
// input line within two more, or ctx's. On a busy machine both take longer: an
// agent that works, or waits for a core, has up to twenty seconds each time. The
// callbacks of the turn, for which it would wait, must not call it; OnPermission
// may.
//
// A prompt that the agent has not begun to answer is taken back: the agent does
// not know of it in the next turn, but History has it, and so has the agent after
// Runner.Resume (2.1.104 to 2.1.330).
func (c *Conversation) Interrupt(ctx context.Context) error {
	c.mu.Lock()
	run := c.running
	c.mu.Unlock()
	if run != nil {
		run.cancel(ErrInterrupted)
		select {
		case <-run.done:
		case <-ctx.Done():
			return drive.Why(ctx)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return public(c.over)
}

// History yields the events of the session that the agent has recorded so far,
// those before a Resume included, and an error if they cannot be read. An event's
// Raw is valid until the next.
func (c *Conversation) History(ctx context.Context) iter.Seq2[transcript.Event, error] {
	return func(yield func(transcript.Event, error) bool) {
		if drive.FileSize(c.transcript()) == 0 {
			return // the agent makes it with the first prompt
		}
		for ev, err := range transcript.Read(c.transcript()) {
			if ctx.Err() != nil {
				yield(transcript.Event{}, drive.Why(ctx))
				return
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

func (c *Conversation) transcript() string { return c.seat.Transcript() }

// Close ends the turn that runs, which fails with ErrClosed, and the agent with
// everything that it has started, and returns when they are gone. The error tells
// what could not be ended. Close may be called again and from any goroutine but a
// callback's, for which it would wait.
func (c *Conversation) Close() error {
	c.mu.Lock()
	if c.over == nil {
		c.over = ErrClosed
	}
	run := c.running
	c.mu.Unlock()
	c.cancel(ErrClosed)
	if run != nil {
		<-run.done
	}
	return c.end(ErrClosed)
}

// end ends the agent, which no turn uses any more.
func (c *Conversation) end(why error) error {
	c.mu.Lock()
	if c.over == nil {
		c.over = why
	}
	c.mu.Unlock()
	c.once.Do(func() {
		c.unhook()
		c.cancel(why)
		c.closed = c.seat.close()
	})
	return c.closed
}

// find begins the conversation where a session has ended. The agent goes on in
// the same file, and writes nothing in it again (2.1.104 to 2.1.330).
func (c *Conversation) find(workdir, session string) error {
	home := c.runner.Home.Dir
	path, err := transcript.FindIn(home, workdir, session)
	if err != nil {
		return err
	}
	if path != transcript.Path(home, workdir, session) {
		return fmt.Errorf("session %s is one of another working directory: name that in Request.WorkDir: %w", session, fs.ErrNotExist)
	}
	for ev, err := range transcript.Read(path) {
		if err != nil {
			return err
		}
		if user, ok := ev.Body.(*transcript.User); ok && !ev.Meta && !ev.Sidechain {
			c.remember(user.Text) // the agent shows it again
		}
	}
	c.session.Skip(path)
	return nil
}
