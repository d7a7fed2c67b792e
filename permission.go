package tuiturn

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

	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/transcript"
)

// A PermissionRequest is a question that the agent asks a person: may it use a
// tool?
type PermissionRequest struct {
	// Tool and Input are the tool use that the agent asks about, as the
	// transcript has it: "Bash" and {"command":…}. Input is complete and is not
	// redacted.
	//
	// Of the tool uses that are pending it is the one that the dialog shows:
	// its command, its URL, or the last part of its path stands there, under
	// the title of its kind. Where the dialog shows none of them Tool is empty
	// and Screen tells all that is known. That is so for a tool that a subagent
	// uses, and for a text that the screen does not show as it is. Two that
	// are equal are not told apart, nor are two files of the same name.
	Tool  string
	Input json.RawMessage

	// Options are the dialog's, in order, and Highlighted is the index of the
	// one that a person's Enter would choose.
	Options     []string
	Highlighted int

	// Screen is what the terminal shows. A long command is cut off at the top.
	// Known secrets are replaced in it, and in Options, by "[redacted]".
	Screen string
}

// A Verdict is what a Decision decides.
type Verdict int

const (
	// Undecided ends the turn with ErrUndecided.
	Undecided Verdict = iota

	// AllowOnce allows this one tool use and nothing else.
	AllowOnce

	// Deny refuses it. With a Message the model is told so, and goes on; claude
	// 2.1.158 cancels the tool uses that stand behind it in the same message,
	// 2.1.104 and 2.1.330 ask about them. Without one the agent stops as it does
	// for a person who says no: what stands behind is refused too, and the turn
	// ends with ErrInterrupted.
	Deny
)

// A Decision answers a PermissionRequest. The zero value decides nothing.
type Decision struct {
	Verdict Verdict

	// Message, with Deny, is told to the model as the person's words. It is text,
	// whatever it says: up to 1000 bytes in up to ten lines.
	Message string
}

// What keeps a decision from being carried out. The turn ends then, with an error
// that is also a *BlockedError, and nothing has been allowed.
var (
	// ErrUndecided: OnPermission returned no decision that there is.
	ErrUndecided = errors.New("OnPermission has not decided")

	// ErrCannotAllow: no option of the dialog is certain to allow one tool use
	// and nothing else. Claude asks so where it has made a plan.
	ErrCannotAllow = errors.New("the dialog has no option that certainly allows this once and nothing else")

	// ErrCannotTell: the dialog takes no message. Claude's about WebFetch is one
	// (2.1.104, 2.1.158, 2.1.330).
	ErrCannotTell = errors.New("the dialog takes no message to the model")
)

// A dialog is a question about a permission as it stands on the screen. The same
// question has the same text and options, whichever is highlighted.
type dialog struct {
	*BlockedError
	text  string // above the options
	below string // the options and what is below them
	whole bool   // text begins where the dialog does

	allow, deny int  // the options that do that and no more; -1: there is none
	amend       bool // amendKey makes the highlighted option take a text
	amending    bool // the deny option takes a text
}

// same tells whether d, which may be nil, is still the question that was asked.
func (d *dialog) same(asked *dialog) bool {
	return d != nil && d.text == asked.text && slices.Equal(d.Options, asked.Options)
}

const (
	// amendKey makes an option of claude's dialogs take a text (2.1.104 to
	// 2.1.330).
	amendKey = "Tab"

	// toolWait is how long the line of a tool use may come later than the
	// question about it. The transcript is written every 100 ms.
	toolWait = time.Second

	// keyWait is how long a key may take to show. If it does not it may be lost
	// or late, so that nothing more is pressed on the strength of it.
	keyWait = 5 * time.Second

	// restWait is how long an agent must do nothing before a key that decides.
	restWait = 200 * time.Millisecond

	maxMessage      = 1000 // a dialog must fit on the screen together with it
	maxMessageLines = 10
)

// asks tells whether err is a question for the host.
func (t *turn) asks(err error) bool {
	blocked, ok := err.(*BlockedError)
	return ok && blocked.Kind == "permission" && t.req.OnPermission != nil
}

// permit has the host decide on the question that w has seen. It returns nil when
// the question has been answered or is no longer there; what the screen shows
// then is looked at anew. Each Enter and Escape here has a decision of its own:
// one that seems to have no effect is not repeated.
func (t *turn) permit(ctx context.Context, w *watch, blocked error) error {
	asked := t.agent.dialog(w.last)
	if asked == nil {
		return blocked // a menu with the words of such a question
	}
	req := PermissionRequest{
		Options:     t.redactor.redactAll(asked.Options),
		Highlighted: asked.Highlighted,
		Screen:      strings.TrimRight(t.redactor.redact(w.last), " \n"),
	}
	failed := func(err error) error {
		return fmt.Errorf("%w: %w", err, &BlockedError{"permission", req.Options, req.Highlighted})
	}
	use, err := t.useAsked(ctx, asked)
	if err != nil {
		return err
	}
	req.Tool, req.Input = use.Name, use.Input

	decision, refusal, err := t.consult(ctx, w, asked, req)
	if refusal != nil {
		return failed(refusal)
	}
	if err == nil {
		err = t.carryOut(ctx, w, asked, decision)
	}
	switch {
	case err == nil, errors.Is(err, errChanged):
		return nil
	case agentEnded(err):
		return err
	}
	return failed(err)
}

// agentEnded tells whether err is that the agent has ended, and not a host's error
// that says so of another process.
func agentEnded(err error) bool {
	var blocked *BlockedError
	return errors.Is(err, os.ErrProcessDone) && !errors.As(err, &blocked)
}

// errChanged says that the question is not there any more.
var errChanged = errors.New("the dialog has changed")

// useAsked finds the tool use that a dialog is about, whose line may come later
// than the dialog. The zero Block says that there is none.
func (t *turn) useAsked(ctx context.Context, asked *dialog) (transcript.Block, error) {
	for late := time.Now().Add(toolWait); ; {
		var use transcript.Block
		best := 0
		for _, u := range t.log.PendingTools() {
			if n := t.agent.shows(asked, u); n > best {
				best, use = n, u
			}
		}
		if best > 0 || time.Now().After(late) {
			return use, nil
		}
		if err := t.attend(ctx, bootLook, nil); err != nil {
			return use, err
		}
	}
}

// consult calls OnPermission, and does not wait for it when the question is gone
// or the turn has to end. refusal is the error that OnPermission returned.
func (t *turn) consult(ctx context.Context, w *watch, asked *dialog, req PermissionRequest) (_ Decision, refusal, err error) {
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
				t.runner.log().Error("OnPermission panicked when its question was gone", "session", t.session, "panic", panicked)
			}
			close(done)
		}()
		decision, returns = t.req.OnPermission(calling, req)
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
		if !t.agent.dialog(w.last).same(asked) {
			return Decision{}, nil, errChanged
		}
	}
}

// carryOut does what the host has decided.
func (t *turn) carryOut(ctx context.Context, w *watch, asked *dialog, d Decision) error {
	switch {
	case d.Verdict == AllowOnce && d.Message == "":
		if asked.allow < 0 {
			return ErrCannotAllow
		}
		if err := t.highlight(ctx, w, asked, asked.allow); err != nil {
			return err
		}
		return t.answered(ctx, w, "Enter")
	case d.Verdict == Deny && d.Message != "":
		return t.tell(ctx, w, asked, d.Message)
	case d.Verdict == Deny:
		// Escape does what the option that says no does (2.1.104, 2.1.158,
		// 2.1.330), needs no way past those that say yes, and can't allow.
		now, err := t.see(ctx, w)
		if err != nil {
			return err
		}
		if !now.same(asked) {
			return errChanged
		}
		return t.answered(ctx, w, "Escape")
	}
	return ErrUndecided
}

// see reads the dialog that is on the screen now.
func (t *turn) see(ctx context.Context, w *watch) (*dialog, error) {
	if err := w.lookNow(ctx); err != nil {
		return nil, err
	}
	return t.agent.dialog(w.last), nil
}

// until looks at the screen until ok, for at most keyWait.
func (t *turn) until(ctx context.Context, w *watch, ok func(*dialog) bool) (bool, error) {
	for late := time.Now().Add(keyWait); ; {
		now, err := t.see(ctx, w)
		if err != nil || ok(now) {
			return err == nil, err
		}
		if time.Now().After(late) {
			return false, nil
		}
		if err := t.attend(ctx, bootLook, nil); err != nil {
			return false, err
		}
	}
}

// rests waits until the agent does nothing, and tells whether ok held all the
// while. What the screen shows is not yet what Enter does: an agent that is still
// at work on the key before acts on the state before it. On a busy machine 2.1.104
// showed a message, and took the Enter after it for a no without one.
func (t *turn) rests(ctx context.Context, w *watch, ok func(*dialog) bool) (bool, error) {
	for late := time.Now().Add(keyWait); time.Now().Before(late); {
		begun := time.Now()
		before, _ := proc.WorkTime(t.term.Pid())
		if err := t.attend(ctx, restWait, nil); err != nil {
			return false, err
		}
		working := w.worked(before, time.Since(begun))
		if now, err := t.see(ctx, w); err != nil || !ok(now) {
			return false, err
		}
		if !working {
			return true, nil
		}
	}
	return false, nil
}

// highlight moves the highlight to an option, a key at a time. When it returns
// without an error the screen has just shown it there, every key that was
// pressed has been seen to move it, so that none is on its way, and the agent rests.
func (t *turn) highlight(ctx context.Context, w *watch, asked *dialog, option int) error {
	for {
		now, err := t.see(ctx, w)
		if err != nil {
			return err
		}
		if !now.same(asked) {
			return errChanged
		}
		at, key := now.Highlighted, "Down"
		if at == option {
			there := func(now *dialog) bool { return now.same(asked) && now.Highlighted == option }
			switch ok, err := t.rests(ctx, w, there); {
			case err != nil || ok:
				return err
			case !there(t.agent.dialog(w.last)):
				return errChanged
			}
			return errors.New("the agent is too busy to be told")
		}
		if at > option {
			key = "Up"
		}
		if err := t.term.SendKeys(ctx, key); err != nil {
			return err
		}
		moved, err := t.until(ctx, w, func(now *dialog) bool { return !now.same(asked) || now.Highlighted != at })
		if err != nil {
			return err
		}
		if !moved {
			return fmt.Errorf("the dialog's highlight does not move: %q had no effect", key)
		}
	}
}

// answered presses the key that answers the question which the screen has just
// shown, and waits until it is gone. One that is the same may follow at once, about
// the same command once more; the result of the first tells them apart.
func (t *turn) answered(ctx context.Context, w *watch, key string) error {
	before, pending := t.agent.dialog(w.last), t.log.PendingTools()
	if err := t.term.SendKeys(ctx, key); err != nil {
		return err
	}
	_, err := t.until(ctx, w, func(now *dialog) bool {
		if now == nil || now.text != before.text {
			return true
		}
		left := t.log.PendingTools()
		return slices.ContainsFunc(pending, func(use transcript.Block) bool {
			return !slices.ContainsFunc(left, func(b transcript.Block) bool { return b.ID == use.ID })
		})
	})
	return err
}

// tell says no and why: it makes the option that denies take a text, as a person
// does, pastes the message and presses Enter when the dialog shows it. Whatever
// goes wrong once the option takes a text ends the turn.
func (t *turn) tell(ctx context.Context, w *watch, asked *dialog, message string) error {
	message, err := checkMessage(message)
	if err != nil {
		return err
	}
	if asked.deny < 0 || !asked.amend {
		return ErrCannotTell
	}
	if err := t.highlight(ctx, w, asked, asked.deny); err != nil {
		return err
	}
	// 2.1.104 and 2.1.158 say below what the key does a moment after they have
	// moved the highlight.
	amends := func(now *dialog) bool { return !now.same(asked) || now.amend }
	if ok, err := t.until(ctx, w, amends); err != nil {
		return err
	} else if !ok {
		return ErrCannotTell
	}
	if now := t.agent.dialog(w.last); !now.same(asked) || now.Highlighted != asked.deny {
		return errChanged
	}
	if err := t.term.SendKeys(ctx, amendKey); err != nil {
		return err
	}
	// The text makes the dialog longer, so that its beginning may leave the screen.
	takes := func(now *dialog) bool {
		return now != nil && now.amending && now.Highlighted == asked.deny && strings.HasSuffix(asked.text, now.text)
	}
	ok, err := t.until(ctx, w, takes)
	if err == nil && ok {
		ok, err = t.rests(ctx, w, takes)
	}
	if err == nil && ok {
		// A digit that came as a key would choose an option. In a paste it is text.
		err = t.term.Paste(ctx, []byte(message))
	}
	want := squeeze(message)
	holds := func(now *dialog) bool { return takes(now) && strings.Contains(squeeze(now.below), want) }
	if err == nil && ok {
		ok, err = t.until(ctx, w, holds)
	}
	if err == nil && ok {
		ok, err = t.rests(ctx, w, holds)
	}
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: it does not show what it was given", ErrCannotTell)
	}
	return t.answered(ctx, w, "Enter")
}

// checkMessage returns the message as it goes in.
func checkMessage(message string) (string, error) {
	message = strings.TrimSpace(message)
	switch {
	case message == "" || !utf8.ValidString(message):
		return "", fmt.Errorf("%w: Decision.Message is blank or not UTF-8", ErrUndecided)
	case len(message) > maxMessage || strings.Count(message, "\n") >= maxMessageLines:
		return "", fmt.Errorf("%w that long: Decision.Message may have %d bytes in %d lines", ErrCannotTell, maxMessage, maxMessageLines)
	case strings.ContainsFunc(message, func(c rune) bool { return c != '\n' && unicode.IsControl(c) }):
		return "", fmt.Errorf("%w with control characters: remove them from Decision.Message", ErrCannotTell)
	}
	return message, nil
}

// squeeze takes out what a screen puts into a text to draw it, and white space.
func squeeze(text string) string {
	return strings.Map(func(c rune) rune {
		if counts(c) {
			return c
		}
		return -1
	}, text)
}

// attend takes what the agent reports until d has passed or done is closed. It
// fails when the turn has to end.
func (t *turn) attend(ctx context.Context, d time.Duration, done <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case ev := <-t.events:
			t.take(ev)
		case hook := <-t.hooks:
			t.hooked(hook)
		case err := <-t.followErr:
			return err
		case <-t.term.Done():
			return os.ErrProcessDone
		case <-ctx.Done():
			return why(ctx)
		case <-done:
			return nil
		case <-timer.C:
			return nil
		}
		if t.deltas != nil {
			t.pass(t.deltas.Next())
		}
	}
}
