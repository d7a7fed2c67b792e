package drive

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/transcript"
)

// The sentinels of turns. The root documents them.
var (
	ErrAuthentication = errors.New("authentication failed")
	ErrTruncated      = errors.New("the answer is incomplete: it hit a token limit")
	ErrRefused        = errors.New("the model refused to answer")
	ErrInterrupted    = errors.New("the turn was interrupted")
	ErrNoAnswer       = errors.New("the turn ended without an answer")
	ErrNotAccepted    = errors.New("the agent did not accept the prompt")
	ErrStopped        = errors.New("the agent's process has been stopped: whoever did that has to continue it (kill -CONT)")
	ErrEnded          = errors.New("the conversation has ended")
	ErrClosed         = errors.New("the Runner or the conversation is closed")
	ErrUndecided      = errors.New("OnPermission has not decided: return AllowOnce or Deny, and a Message with Deny alone")
	ErrCannotAllow    = errors.New("it is not certain that a yes would allow this tool use once and nothing else")
	ErrCannotTell     = errors.New("the message cannot be told to the model")
)

// An APIError is a failure of the model's service. The root documents its fields.
type APIError struct {
	Status   int
	Type     string
	Kind     string
	Message  string
	Attempts int
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

// Is reports an authentication failure as ErrAuthentication.
func (e *APIError) Is(target error) bool {
	return target == ErrAuthentication && e.recorded().Unauthorized()
}

// Retryable reports whether the same request may succeed later.
func (e *APIError) Retryable() bool {
	return e.recorded().Retryable()
}

func (e *APIError) recorded() *transcript.APIError {
	return &transcript.APIError{Status: e.Status, Type: e.Type, Kind: e.Kind, Attempts: e.Attempts}
}

// A BlockedError says that the agent waits for a person. The root documents its
// fields.
type BlockedError struct {
	Kind        string
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
	case agent.Permission:
		return what + ": a tool asks for a permission, and nothing is allowed by default: set Request.OnPermission to decide"
	case agent.Login: // a login by hand would be one that the agent refreshes
		return what + ": it has no login: set Runner.Token, and do not log in by hand"
	case agent.Settings:
		return what + ": a settings file has errors, and the agent would ignore all of the file: correct it"
	case question:
		return what + ": a tool asks a question: leave tools that ask out of Request.Tools, set Request.NoTools, or say in the prompt that nobody can answer"
	case unknown:
		return what + ": Error.Screen shows it: if it comes at every start, start the agent once by hand in its home and answer it"
	}
	return what + ": start the agent once by hand in its home and answer it"
}

// Kinds of a BlockedError besides those of menus.
const (
	question = "question" // any other menu while the agent works on a prompt
	unknown  = "unknown"  // a screen that neither changes nor takes a prompt
)

// blockedBy returns the error of an agent that waits in a menu.
func blockedBy(m *agent.Menu) *BlockedError {
	return &BlockedError{Kind: m.Kind, Options: m.Options, Highlighted: m.Highlighted}
}

// blockedKind is the kind of a BlockedError, empty for another error.
func blockedKind(err error) string {
	if b, ok := err.(*BlockedError); ok {
		return b.Kind
	}
	return ""
}

// inTurn returns e for a dialog that appears while the agent works on a prompt. The
// dialog's words can then be a model's. So the dialog counts neither as a login nor as
// another question of the agent's start.
func (e *BlockedError) inTurn() *BlockedError {
	if e.Kind == agent.Permission || e.Kind == unknown {
		return e
	}
	return &BlockedError{Kind: question, Options: e.Options, Highlighted: e.Highlighted}
}

// Is reports a login dialog as ErrAuthentication.
func (e *BlockedError) Is(target error) bool {
	return target == ErrAuthentication && e.Kind == agent.Login
}

// An ExitError says that the agent exited during a turn.
type ExitError struct{ Status syscall.WaitStatus }

func (e *ExitError) Error() string {
	if e.Status.Signaled() {
		return fmt.Sprintf("the agent was ended by signal %d (%v)", e.Status.Signal(), e.Status.Signal())
	}
	return fmt.Sprintf("the agent ended by itself with status %d", e.Status.ExitStatus())
}
