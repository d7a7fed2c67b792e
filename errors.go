package tuiturn

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/transcript"
)

// What a caller branches on, with errors.Is.
var (
	// ErrAuthentication: the service or the agent does not accept the login.
	// Claude takes HTTP 401 and 403 for that (2.1.104, 2.1.158, 2.1.330).
	ErrAuthentication = errors.New("authentication failed")

	// ErrTruncated: the answer hit a limit. Result.Text is its beginning.
	ErrTruncated = errors.New("the answer is incomplete: it hit a token limit")

	// ErrRefused: the model declined to answer.
	ErrRefused = errors.New("the model refused to answer")

	// ErrInterrupted: the turn was stopped, by Conversation.Interrupt or by
	// someone or something at the terminal.
	ErrInterrupted = errors.New("the turn was interrupted")

	// ErrNoAnswer: the turn ended and the model had said nothing.
	ErrNoAnswer = errors.New("the turn ended without an answer")

	// ErrNotAccepted: the agent did not take the prompt as it was given.
	ErrNotAccepted = errors.New("the agent did not accept the prompt")

	// ErrStopped: somebody has stopped the agent's process, with SIGSTOP or with
	// Ctrl+Z at its terminal. Noticed on Linux only.
	ErrStopped = errors.New("the agent's process has been stopped: whoever did that has to continue it (kill -CONT)")

	// ErrBusy: a conversation has one turn at a time, and a Runner one
	// conversation of a session.
	ErrBusy = errors.New("the conversation is busy: wait for its turn to end, or interrupt it")

	// ErrEnded: the conversation takes no prompt any more. What it came to is
	// kept by the agent: Runner.Resume goes on from there.
	ErrEnded = errors.New("the conversation has ended")

	// ErrClosed: the Runner, or the Conversation, was closed.
	ErrClosed = errors.New("the Runner or the conversation is closed")
)

// An Error is the error of a turn.
type Error struct {
	// Op is what failed: "preparing the home", "starting the agent", …
	Op string

	// SessionID is the turn's session, as in Result.
	SessionID string

	// Screen is the last of what the agent's terminal showed, if that can help:
	// up to 20 rows, with the token, the prompt and other known secrets
	// replaced by "[redacted]".
	Screen string

	// Err is what happened.
	Err error
}

// Error is one line; the screen is not in it.
func (e *Error) Error() string { return e.Op + ": " + oneLine(e.Err.Error()) }

// oneLine is for a log: a multierror is a list with a heading, and what an agent
// says may have lines too.
func oneLine(s string) string {
	var lines []string
	for line := range strings.Lines(heading.ReplaceAllString(s, "")) {
		if line = strings.TrimPrefix(strings.TrimSpace(line), "* "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

var heading = regexp.MustCompile(`\d+ errors? occurred:\s*(\* )?`)

func (e *Error) Unwrap() error { return e.Err }

// An APIError is a failure of the model's service that the agent gave up on, or
// that it would only repeat.
type APIError struct {
	Status   int    // of HTTP; 0 where the agent does not record it
	Type     string // as the service names it: "overloaded_error"
	Kind     string // as the agent names it: "authentication_failed"
	Message  string // the agent's words
	Attempts int    // the agent's retries, where it records them
}

func (e *APIError) Error() string {
	var b strings.Builder
	b.WriteString("the service failed")
	if e.Status != 0 {
		fmt.Fprintf(&b, " with HTTP %d", e.Status)
	}
	switch {
	case e.Type != "":
		fmt.Fprintf(&b, " (%s)", e.Type)
	case e.Kind != "" && e.Kind != "unknown":
		fmt.Fprintf(&b, " (%s)", e.Kind)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	return b.String()
}

// Is makes an authentication failure ErrAuthentication.
func (e *APIError) Is(target error) bool {
	return target == ErrAuthentication &&
		(e.Status == 401 || e.Kind == "authentication_failed" || e.Type == "authentication_error")
}

// Retryable tells whether the same request may succeed later: after a rate or
// usage limit, an overload, a failure of the service or of the network.
func (e *APIError) Retryable() bool {
	return (&transcript.APIError{Status: e.Status, Type: e.Type, Kind: e.Kind, Attempts: e.Attempts}).Retryable()
}

// A BlockedError says that the agent waits for a person.
type BlockedError struct {
	// Kind is "login", "trust", "onboarding" or "settings" (a settings file has
	// errors) at the agent's start, and "menu" for another menu there. While the
	// agent works on a prompt it is "permission", or "question" for another menu.
	// At any time it is "unknown" for a screen that neither changes nor takes a
	// prompt.
	Kind string

	// Options are the menu's, in order, and Highlighted is the index of the
	// one that Enter would choose; -1 where none is.
	Options     []string
	Highlighted int
}

func (e *BlockedError) Error() string {
	what := "the agent waits for a person"
	if len(e.Options) > 0 {
		what = fmt.Sprintf("%s (%s dialog: %s)", what, e.Kind, strings.Join(e.Options, " / "))
	} else {
		what = fmt.Sprintf("%s (%s dialog)", what, e.Kind)
	}
	switch e.Kind {
	case "permission":
		return what + ": a tool asked for a permission, and nothing is approved on anyone's behalf"
	case "login": // whoever answers that makes a login that the agent refreshes
		return what + ": it has no login: set Runner.Token, and log in nowhere"
	case "settings":
		return what + ": a settings file has errors, and the agent would ignore all of the file: correct it"
	case "question":
		return what + ": a tool asks a question: leave tools that ask (AskUserQuestion, ExitPlanMode) out of Request.Tools, set Request.NoTools, or say in the prompt that nobody can answer"
	case "unknown":
		return what + ": Error.Screen shows it: if it comes at every start, start the agent once by hand in its home and answer it"
	}
	return what + ": start the agent once by hand in its home and answer it"
}

// inTurn is e for a dialog that stands there while the agent works on a prompt.
// Its words can be a model's then: they make it neither a login nor anything else
// that an agent asks at its start.
func (e *BlockedError) inTurn() *BlockedError {
	if e.Kind == "permission" || e.Kind == "unknown" {
		return e
	}
	return &BlockedError{Kind: "question", Options: e.Options, Highlighted: e.Highlighted}
}

// blockedBy is the error of an agent that waits in a menu.
func blockedBy(m *agent.Menu) *BlockedError {
	return &BlockedError{Kind: m.Kind, Options: m.Options, Highlighted: m.Highlighted}
}

// Is makes a login dialog ErrAuthentication.
func (e *BlockedError) Is(target error) bool {
	return target == ErrAuthentication && e.Kind == "login"
}

// An ExitError says that the agent ended in mid-turn.
type ExitError struct{ Status syscall.WaitStatus }

func (e *ExitError) Error() string {
	if e.Status.Signaled() {
		return fmt.Sprintf("the agent was ended by signal %d (%v)", e.Status.Signal(), e.Status.Signal())
	}
	return fmt.Sprintf("the agent ended by itself with status %d", e.Status.ExitStatus())
}
