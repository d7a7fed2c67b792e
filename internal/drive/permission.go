package drive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/hook"
)

// A Question is what the agent asks a person: may it use a tool? The root documents
// its fields.
type Question struct {
	Tool        string
	Input       json.RawMessage
	Options     []string
	Highlighted int
	Screen      string
}

// A Decision answers a Question.
type Decision struct {
	Verdict Verdict
	Message string // with Deny
}

// A Verdict is what a Decision decides.
type Verdict int

const (
	Undecided Verdict = iota
	AllowOnce
	Deny
)

// A Decider decides on behalf of a person.
type Decider func(context.Context, Question) (Decision, error)

// same tells whether a menu, which may be nil, is still the question that was asked.
func same(m, asked *agent.Menu) bool {
	return m != nil && m.Text == asked.Text && slices.Equal(m.Options, asked.Options)
}

const (
	// reportWait is how long an agent that rests may take to report the question
	// that its dialog asks. Both come within 0.1 s of each other.
	reportWait = 2 * time.Second

	// drawWait is how long an agent that rests may take to draw the dialog of a
	// question that it has reported.
	drawWait = time.Second

	// effectWait is how long an agent that rests may take to act on a decision.
	effectWait = 5 * time.Second

	MaxMessage = 10_000
)

// asks tells whether err may be a question for the host: a menu. Whether the agent's
// hook, or its words, ask for a permission is for permit to know.
func (t *Turn) asks(err error) bool {
	blocked, ok := err.(*BlockedError)
	return ok && t.Decide != nil && len(blocked.Options) > 0
}

// permit has the host decide on the question that w has seen. It returns nil when
// the question has been answered or is no longer there; what the screen shows
// then is looked at anew.
func (t *Turn) permit(ctx context.Context, w *watch, blocked error) error {
	asked := w.view.Menu
	if asked == nil {
		return blocked // a menu with the words of such a question
	}
	req := Question{
		Options:     t.Redactor.RedactAll(asked.Options),
		Highlighted: asked.Highlighted,
		Screen:      strings.TrimRight(t.Redactor.Redact(w.last), " \n"),
	}
	failed := func(err error) error {
		return fmt.Errorf("%w: %w", err, &BlockedError{agent.Permission, req.Options, req.Highlighted})
	}
	q, err := t.question(ctx, w, asked)
	switch {
	case errors.Is(err, errChanged):
		return nil
	case err != nil:
		return err
	case q != nil:
		req.Tool, req.Input = q.Tool, q.Input
	case asked.Kind != agent.Permission:
		return blocked // neither the hook nor the words say that it is for the host
	}
	decision, refusal, err := t.consult(ctx, w, asked, req)
	if refusal != nil {
		return failed(refusal)
	}
	if err == nil {
		err = t.carryOut(ctx, w, asked, q, decision)
	}
	switch {
	case err == nil, errors.Is(err, errChanged):
		return nil
	case agentEnded(err):
		return err
	}
	return failed(err)
}

// errChanged says that the question is not there any more.
var errChanged = errors.New("the dialog has changed")

// question is the reported question that a dialog is about, nil if none is. On a
// busy machine the report comes long after the dialog: the hook is a process of its
// own (0.6 s and more on 2.1.104, whose plan's dialog has words that no rule lists).
func (t *Turn) question(ctx context.Context, w *watch, asked *agent.Menu) (*hook.Question, error) {
	for rest := t.rest(); ; {
		if q := t.shown(asked); q != nil || rest.over(reportWait) {
			return q, nil
		}
		if err := t.attend(ctx, bootLook, nil); err != nil {
			return nil, err
		}
		if err := w.look(ctx); err != nil {
			return nil, err
		}
		if t.log.Told() || !same(w.view.Menu, asked) {
			return nil, errChanged // or the turn is over, and it is an offer
		}
	}
}

// consult calls OnPermission, and does not wait for it when the question is gone
// or the turn has to end. refusal is the error that OnPermission returned.
func (t *Turn) consult(ctx context.Context, w *watch, asked *agent.Menu, req Question) (_ Decision, refusal, err error) {
	calling, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		decision Decision
		returns  error
		panicked any
		done     = make(chan struct{})
	)
	go func() {
		returned := false
		defer func() {
			if !returned {
				// A panic, or runtime.Goexit.
				panicked, returns = recover(), ErrUndecided
			}
			if calling.Err() != nil && panicked != nil {
				t.Log.Error("OnPermission panicked when its question was gone", "session", t.Start.Session, "panic", panicked)
			}
			close(done)
		}()
		decision, returns = t.Decide(calling, req)
		returned = true
	}()
	for {
		if err := t.attend(ctx, workLook, done); err != nil {
			return Decision{}, nil, err
		}
		select {
		case <-done:
			if panicked != nil {
				panic(panicked) // where the host can recover it, after the turn's teardown
			}
			return decision, returns, nil
		default:
		}
		if err := w.look(ctx); err != nil {
			return Decision{}, nil, err
		}
		if !same(w.view.Menu, asked) {
			return Decision{}, nil, errChanged
		}
	}
}

// carryOut does what the host has decided. q may be nil.
func (t *Turn) carryOut(ctx context.Context, w *watch, asked *agent.Menu, q *hook.Question, d Decision) error {
	message, err := checkMessage(d.Message)
	switch {
	case d.Verdict != AllowOnce && d.Verdict != Deny, d.Verdict == AllowOnce && d.Message != "":
		return ErrUndecided
	case err != nil:
		return err
	case q == nil && d.Verdict == AllowOnce:
		return fmt.Errorf("%w: the agent has not reported which one it asks about", ErrCannotAllow)
	case q == nil && message != "":
		return fmt.Errorf("%w: the agent has not reported which tool use it asks about", ErrCannotTell)
	case q == nil:
		return t.refuse(ctx, w, asked)
	case d.Verdict == AllowOnce && !asked.Plain:
		return fmt.Errorf("%w: its dialog has no plain Yes", ErrCannotAllow)
	}
	reported := t.asking
	if err := t.reply(ctx, q, t.Agent.Decide(d.Verdict == AllowOnce, message)); err != nil {
		return err
	}
	return t.acted(ctx, w, asked, reported)
}

// refuse says no to a question that only the screen knows. Escape does what the
// option that says no does (2.1.104, 2.1.158, 2.1.330), and cannot allow.
func (t *Turn) refuse(ctx context.Context, w *watch, asked *agent.Menu) error {
	if err := w.lookNow(ctx); err != nil {
		return err
	}
	if !same(w.view.Menu, asked) {
		return errChanged
	}
	if err := t.term.SendKeys(ctx, t.Agent.Traits().Keys.Stop); err != nil {
		return err
	}
	return t.acted(ctx, w, asked, t.asking)
}

// acted waits until a decision has had its effect: the dialog is gone, or is about
// another question. One that looks the same may be drawn for the next question, which
// its hook tells, and the agent then rests. Until it is drawn the next question must
// not be decided: 2.1.332 loses a decision that comes before its dialog.
func (t *Turn) acted(ctx context.Context, w *watch, asked *agent.Menu, reported int) error {
	var next *rest // since the next question has been reported
	for rest := t.rest(); ; {
		if err := w.lookNow(ctx); err != nil {
			return err
		}
		if next == nil && t.asking > reported {
			next = t.rest()
		}
		if !same(w.view.Menu, asked) || rest.over(effectWait) || next != nil && next.over(drawWait) {
			return nil
		}
		if err := t.attend(ctx, bootLook, nil); err != nil {
			return err
		}
	}
}

// checkMessage returns the message as it goes in.
func checkMessage(message string) (string, error) {
	trimmed := strings.TrimSpace(message)
	switch {
	case message == "":
		return "", nil
	case trimmed == "" || !utf8.ValidString(message):
		return "", fmt.Errorf("%w: Decision.Message is blank or not UTF-8", ErrUndecided)
	case len(trimmed) > MaxMessage:
		return "", fmt.Errorf("%w: Decision.Message may have %d bytes and has %d", ErrCannotTell, MaxMessage, len(trimmed))
	case strings.ContainsFunc(trimmed, func(c rune) bool { return c != '\n' && c != '\t' && unicode.IsControl(c) }):
		return "", fmt.Errorf("%w: remove the control characters from Decision.Message", ErrCannotTell)
	}
	return trimmed, nil
}

// attend takes what the agent reports until d has passed or done is closed. It
// fails when the turn has to end.
func (t *Turn) attend(ctx context.Context, d time.Duration, done <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		heard, err := t.hear(ctx, timer.C, done)
		if err != nil {
			return err
		}
		if t.deaf() {
			return os.ErrProcessDone // nobody waits for the decision any more
		}
		if t.deltas != nil {
			t.pass(t.deltas.Next())
		}
		if heard == ticked || heard == called {
			return nil
		}
	}
}
