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

// A Question is the agent's question to a person whether it may use a tool. The root
// documents its fields.
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

// A Verdict is the choice in a Decision.
type Verdict int

const (
	Undecided Verdict = iota
	AllowOnce
	Deny
)

// A Decider decides instead of a person.
type Decider func(context.Context, Question) (Decision, error)

// same tells whether a menu, which may be nil, is still the question that was asked.
func same(m, asked *agent.Menu) bool {
	return m != nil && m.Text == asked.Text && slices.Equal(m.Options, asked.Options)
}

const (
	// reportWait limits how long an agent that rests takes to report the question in
	// its dialog. Report and dialog come within 0.1 s of each other.
	reportWait = 2 * time.Second

	// drawWait limits how long an agent that rests takes to draw the dialog of a
	// question that it has reported.
	drawWait = time.Second

	// effectWait limits how long an agent that rests takes to act on a decision.
	effectWait = 5 * time.Second

	// MaxMessage is the greatest length of Decision.Message, in bytes.
	MaxMessage = 10_000
)

// asks tells whether err may be a question for the host, that is, a menu. permit finds
// out whether the agent's hook, or its words, ask for a permission.
func (t *Turn) asks(err error) bool {
	blocked, ok := err.(*BlockedError)
	return ok && t.Decide != nil && len(blocked.Options) > 0
}

// permit lets the host decide on the question that w has seen. It returns nil if the
// question has been answered or is gone. The caller then looks at the screen again.
func (t *Turn) permit(ctx context.Context, w *watch, blocked error) error {
	asked := w.view.Menu
	if asked == nil {
		return blocked // only words that look like a question
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
		return blocked // neither the hook nor the words ask for a permission
	}
	decision, refusal, err := t.consult(ctx, w, asked, q, req)
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

// errChanged says that the question is gone.
var errChanged = errors.New("the dialog has changed")

// question returns the reported question that a dialog is about, or nil if there is
// none. On a busy machine the report comes long after the dialog, because the hook is a
// process of its own. (2.1.104 took 0.6 s and more, and no rule lists the words of its
// plan's dialog.)
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
			return nil, errChanged // or the turn is over, and the menu is an offer
		}
	}
}

// consult calls OnPermission. It stops waiting when the question is gone or the turn
// has to end. q may be nil. refusal is the error that OnPermission returned.
func (t *Turn) consult(ctx context.Context, w *watch, asked *agent.Menu, q *hook.Question, req Question) (_ Decision, refusal, err error) {
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
				t.Log.Error("OnPermission panicked after its question was gone", t.LogID(), "panic", panicked)
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
				panic(panicked) // here the host can recover it, after the turn's teardown
			}
			return decision, returns, nil
		default:
		}
		if err := w.look(ctx); err != nil {
			return Decision{}, nil, err
		}
		if !same(w.view.Menu, asked) || t.replaced(q, asked) {
			return Decision{}, nil, errChanged
		}
	}
}

// carryOut carries out the host's decision. q may be nil.
func (t *Turn) carryOut(ctx context.Context, w *watch, asked *agent.Menu, q *hook.Question, d Decision) error {
	message, err := checkMessage(d.Message)
	switch {
	case d.Verdict != AllowOnce && d.Verdict != Deny, d.Verdict == AllowOnce && d.Message != "":
		return ErrUndecided
	case err != nil:
		return err
	case q == nil && d.Verdict == AllowOnce:
		return fmt.Errorf("%w: the agent has not reported which tool use it asks about", ErrCannotAllow)
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

// refuse says no to a question that only the screen shows. Escape does the same as the
// option that says no (2.1.104, 2.1.158, 2.1.330), and cannot allow anything.
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

// acted waits until a decision has taken effect: the dialog is gone, or is about
// another question. The next question's dialog may look the same. Then the hook reports
// the next question, and the agent rests. The next question must not be decided before
// its dialog is drawn: 2.1.332 loses a decision that comes earlier.
func (t *Turn) acted(ctx context.Context, w *watch, asked *agent.Menu, reported int) error {
	var next *rest // begins when the next question has been reported
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

// checkMessage returns the message without white space around it.
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

// attend handles the agent's events until d has passed or done is closed. It fails if
// the turn has to end.
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
