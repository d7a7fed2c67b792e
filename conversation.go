package tuiturn

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tuiturn/tuiturn/internal/drive"
	"github.com/tuiturn/tuiturn/internal/redact"
	"github.com/tuiturn/tuiturn/internal/text"
	"github.com/tuiturn/tuiturn/internal/uuid"
	"github.com/tuiturn/tuiturn/transcript"
)

// A Conversation is an agent that takes one prompt after the other and remembers what
// was said before. Its methods are safe for concurrent use, but only one turn can run
// at a time. Close it when done: an open conversation is a process of 100 to 300 MB.
//
// Runner.Close closes it too. A conversation ends when its agent has exited, or does
// not return to its input line after an interruption. Runner.Resume continues its
// session then.
type Conversation struct {
	runner *Runner
	seat   *seat
	opened Request // the request of Open: its callbacks are the turns' defaults
	setup  Request // the part of the request that is the same for all turns
	home   string  // the home's physical path

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	detach func() bool // undoes closeWith
	once   sync.Once
	closed error // the teardown's error, set by once

	mu      sync.Mutex
	over    error // why the conversation takes no more turns; nil: it does
	running *running

	// The running turn alone uses these.
	session drive.Session
	prompts []string // prompts that the screen may still show
}

// openConversations holds the conversations that this process has open, by their
// sessions. A home may have several names.
var openConversations sync.Map // sessionKey to *Conversation

type sessionKey struct{ home, session string }

// A running is the turn that a conversation runs.
type running struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// A TurnRequest describes one turn of a Conversation. The other fields of a Request are
// fixed when the conversation is opened. Only Prompt is required.
type TurnRequest struct {
	// Prompt and AllowCommands are as in Request.
	Prompt        string
	AllowCommands bool

	// OnDelta is as in Request. The answer comes line by line if the agent supports
	// that and Request.OnDelta was set when the conversation was opened. Otherwise the
	// answer comes message by message.
	OnDelta func(Delta)

	// Trace is as in Request.
	Trace *Trace
}

// Open starts a conversation with a new agent, or with a ready agent of the Pool. It
// ignores req.Prompt and req.AllowCommands. req.OnPermission decides in all turns.
// req.OnDelta and req.Trace are the defaults of turns that set none. ctx limits the
// start only.
//
// An open conversation counts as a turn while it starts and while one of its turns
// runs. Between its turns it does not count in Runner.Limits. The error is an *Error.
func (r *Runner) Open(ctx context.Context, req Request) (*Conversation, error) {
	return r.converse(ctx, uuid.New(), req, false)
}

func (r *Runner) converse(ctx context.Context, session string, req Request, resume bool) (*Conversation, error) {
	req.Prompt, req.AllowCommands = "", false
	t := r.newTurn(&req, &Result{}, time.Now())
	t.session, t.res.SessionID = session, session
	if !resume {
		t.res.SessionID = r.named(session)
	}
	c, op, err := t.open(ctx, resume)
	if err != nil {
		return nil, t.fault(op, err)
	}
	return c, nil
}

// open starts the agent of a conversation. op names the step that failed.
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
	c = &Conversation{runner: r, opened: *t.req, setup: setup.Request, home: physical(r.Home.Dir)}
	opened := false // stays false after an error, and after a callback's panic
	if resume {
		// Reserve the session first, so that nobody else writes to the file that find
		// reads.
		reserved, key := c, sessionKey{c.home, t.res.SessionID}
		if _, there := openConversations.LoadOrStore(key, reserved); there {
			return nil, starting, ErrBusy
		}
		defer func() {
			if !opened {
				openConversations.CompareAndDelete(key, reserved)
			}
		}()
		if setup.resume, err = c.find(setup.workdir, t.res.SessionID); err != nil {
			return nil, "finding the session", err
		}
		t.redactor = redact.New(append(r.secrets(t.req), c.prompts...)...)
	}
	ctx, place, done, err := r.open(ctx, t.queued())
	if err != nil {
		return nil, starting, err
	}
	defer done()
	defer func() { // runs before done: the agent needs its place until it has exited
		if !opened {
			op, err = withTeardown(op, err, t.tearDown())
		}
	}()
	if op, err = t.start(ctx, place, setup); err != nil {
		return nil, op, err
	}
	if !t.res.Warm { // an agent of the pool holds its place already
		place.turns.Add(1)
		t.seat.leave = place.turns.Done
	}
	opened = true
	if !resume {
		c.home = physical(r.Home.Dir) // it exists now
	}
	c.seat = t.seat
	c.seat.unreported = true // nobody gets the error if Runner.Close closes it
	c.seat.Named = c.named
	if session := c.SessionID(); session != "" {
		c.named(session)
	}
	leave := c.seat.leave
	c.seat.leave = func() { // the agent has exited, and Runner.Close still waits
		openConversations.CompareAndDelete(sessionKey{c.home, c.SessionID()}, c)
		leave()
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.closeWith(r.ctx)
	return c, "", nil
}

// physical returns a path without symbolic links, or as it is if it does not exist yet.
func physical(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	return filepath.Clean(path)
}

// named keeps others from opening the conversation's session.
func (c *Conversation) named(session string) {
	openConversations.Store(sessionKey{c.home, session}, c)
}

// closeWith closes the conversation when ctx ends, or at once if ctx has ended.
func (c *Conversation) closeWith(ctx context.Context) {
	c.mu.Lock() // end reads detach, and may run before AfterFunc returns
	defer c.mu.Unlock()
	c.detach = context.AfterFunc(ctx, func() { c.Close() })
}

// SessionID returns the agent's name for the session, as in Result. Runner.Resume takes
// it.
func (c *Conversation) SessionID() string { return c.seat.SessionID() }

// Turn gives the agent the next prompt and returns the answer. The Result and the error
// are as Runner.Turn's, but Timings.Boot contains no start of an agent, Timings.Teardown
// is zero while the conversation stays open, and Result.Warm is true.
//
// When ctx ends, the turn is interrupted as by Interrupt, and the conversation stays
// open. The error wraps ErrBusy while another turn runs. ErrClosed and ErrEnded mean
// that the conversation takes no more turns. If the agent has died, ErrEnded comes with
// an *ExitError; the turn in which the agent died fails with an *ExitError too.
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
	return t.execute(ctx, began, func(ctx context.Context) (string, error) { return c.turn(ctx, t) })
}

// errPanicked is the error of a conversation that ended because a callback panicked.
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
		t.res.Timings.Boot = rest // the turn failed before the prompt was in the input line
	} else {
		t.res.Timings.Answer += rest // until the agent has returned to its input line
	}
	return op, err
}

// begin marks a turn as the running one, and fails if there is one already. The caller
// calls done.
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

// lost tells why the agent is gone; nil means that it is still there.
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

// speak runs a turn while the agent is there. over tells why there can be no further
// turn; nil means that there can.
func (c *Conversation) speak(ctx context.Context, t *turn) (op string, err, over error) {
	t.redactor = redact.New(append(c.runner.secrets(t.req), c.prompts...)...)
	c.seat.Redactor = t.redactor
	c.remember(t.req.Prompt)
	t.drive.Pane = c.seat.Pane
	defer t.record()
	return c.session.Speak(ctx, c.ctx, &t.drive)
}

// maxPrompts is the number of prompts that the last rows of the screen can show.
const maxPrompts = 20

// remember keeps a prompt out of later errors.
func (c *Conversation) remember(prompt string) {
	if c.prompts = append(c.prompts, text.Normalize(prompt)); len(c.prompts) > maxPrompts {
		c.prompts = slices.Delete(c.prompts, 0, 1)
	}
}

// Interrupt stops the running turn as a person would: the agent stops and waits for the
// next prompt. The turn fails with ErrInterrupted. Its Result holds the part of the
// answer that the agent has recorded. Without a running turn Interrupt does nothing;
// after the conversation's end it returns ErrEnded or ErrClosed.
//
// Interrupt returns when the next turn can begin, 0.2 to 0.9 s later on an idle machine.
// If ctx ends first, the error wraps ctx's error and cause. It wraps ErrEnded, and so
// does the turn's error, if the agent does not stop within two seconds, or if its input
// line is not empty within two more. While the agent uses or waits for a processor each
// limit grows, to 24 seconds at most.
//
// OnPermission may call Interrupt. The turn's other callbacks must not: Interrupt would
// wait for them.
//
// A prompt that the agent has not begun to answer is taken back: the agent does not know
// it in the next turn. History has it, though, and so has the agent after Runner.Resume
// (claude 2.1.104 to 2.1.330).
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

// History yields the events that the agent has recorded in the session so far. Events
// from before a Resume are included; before the session's first prompt there are none.
// An error, ctx's included, comes last, with a zero Event. An event's Raw is valid until
// the next event. History also works after Close.
func (c *Conversation) History(ctx context.Context) iter.Seq2[transcript.Event, error] {
	return func(yield func(transcript.Event, error) bool) {
		if drive.FileSize(c.transcript()) == 0 {
			return // the agent creates the transcript with the first prompt
		}
		for ev, err := range c.runner.agent().Traits().Log.Read(c.transcript()) {
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

// Close ends the conversation: the running turn, which fails with ErrClosed, and the
// agent with everything that it has started. Close returns when all of them are gone.
// The error names what could not be ended.
//
// Close may be called again, and from any goroutine except that of a turn: OnDelta, a
// Trace and the body of a Stream loop must not call it, because Close waits for them.
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

// end ends the agent. No turn may use it any more.
func (c *Conversation) end(why error) error {
	c.mu.Lock()
	if c.over == nil {
		c.over = why
	}
	c.mu.Unlock()
	c.once.Do(func() {
		c.detach()
		c.cancel(why)
		c.closed = c.seat.close()
	})
	return c.closed
}

// find starts the conversation where an earlier session has ended, and returns the path
// of its log. The agent continues in the same file and does not repeat its earlier lines
// (2.1.104 to 2.1.330).
func (c *Conversation) find(workdir, session string) (path string, err error) {
	home, log := c.runner.Home.Dir, c.runner.agent().Traits().Log
	path, err = log.FindIn(home, workdir, session)
	if err != nil {
		return "", err
	}
	if log.Path != nil && path != log.Path(home, workdir, session) {
		return "", fmt.Errorf("session %s belongs to another working directory: set Request.WorkDir to that directory: %w", session, fs.ErrNotExist)
	}
	for ev, err := range log.Read(path) {
		if err != nil {
			return "", err
		}
		if user, ok := ev.Body.(*transcript.User); ok && !ev.Meta && !ev.Sidechain {
			c.remember(user.Text) // a resumed agent draws it again
		}
	}
	c.session.Skip(path)
	return path, nil
}
