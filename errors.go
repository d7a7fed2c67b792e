package tuiturn

import (
	"errors"
	"regexp"
	"strings"
	"syscall"

	"github.com/tuiturn/tuiturn/internal/drive"
)

// What a caller branches on, with errors.Is.
var (
	// ErrAuthentication: the service or the agent does not accept the login.
	// Claude takes HTTP 401 and 403 for that (2.1.104, 2.1.158, 2.1.330).
	ErrAuthentication = drive.ErrAuthentication

	// ErrTruncated: the answer hit a limit. Result.Text is its beginning.
	ErrTruncated = drive.ErrTruncated

	// ErrRefused: the model declined to answer.
	ErrRefused = drive.ErrRefused

	// ErrInterrupted: the turn was stopped, by Conversation.Interrupt or by
	// someone or something at the terminal.
	ErrInterrupted = drive.ErrInterrupted

	// ErrNoAnswer: the turn ended and the model had said nothing.
	ErrNoAnswer = drive.ErrNoAnswer

	// ErrNotAccepted: the agent did not take the prompt as it was given.
	ErrNotAccepted = drive.ErrNotAccepted

	// ErrStopped: somebody has stopped the agent's process, with SIGSTOP or with
	// Ctrl+Z at its terminal. Noticed on Linux only.
	ErrStopped = drive.ErrStopped

	// ErrBusy: a conversation has one turn at a time, and a Runner one
	// conversation of a session.
	ErrBusy = errors.New("the conversation is busy: wait for its turn to end, or interrupt it")

	// ErrEnded: the conversation takes no prompt any more. What it came to is
	// kept by the agent: Runner.Resume goes on from there.
	ErrEnded = drive.ErrEnded

	// ErrClosed: the Runner, or the Conversation, was closed.
	ErrClosed = drive.ErrClosed
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

func (e *APIError) Error() string { return (*drive.APIError)(e).Error() }

// Is makes an authentication failure ErrAuthentication.
func (e *APIError) Is(target error) bool { return (*drive.APIError)(e).Is(target) }

// Retryable tells whether the same request may succeed later: after a rate or
// usage limit, an overload, a failure of the service or of the network.
func (e *APIError) Retryable() bool { return (*drive.APIError)(e).Retryable() }

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

func (e *BlockedError) Error() string { return (*drive.BlockedError)(e).Error() }

// Is makes a login dialog ErrAuthentication.
func (e *BlockedError) Is(target error) bool { return (*drive.BlockedError)(e).Is(target) }

// An ExitError says that the agent ended in mid-turn.
type ExitError struct{ Status syscall.WaitStatus }

func (e *ExitError) Error() string { return (*drive.ExitError)(e).Error() }

// public is err with the types of this package in the place of the engine's.
func public(err error) error {
	switch e := err.(type) {
	case *drive.APIError:
		return (*APIError)(e)
	case *drive.BlockedError:
		return (*BlockedError)(e)
	case *drive.ExitError:
		return (*ExitError)(e)
	}
	if _, done := errors.AsType[*publicError](err); done {
		return err
	}
	var all []error
	if e, ok := errors.AsType[*drive.APIError](err); ok {
		all = append(all, (*APIError)(e))
	}
	if e, ok := errors.AsType[*drive.BlockedError](err); ok {
		all = append(all, (*BlockedError)(e))
	}
	if e, ok := errors.AsType[*drive.ExitError](err); ok {
		all = append(all, (*ExitError)(e))
	}
	if all == nil {
		return err
	}
	return &publicError{err, append(all, err)}
}

// A publicError says what err says, and is also the errors that it holds, by their
// types in this package.
type publicError struct {
	error
	all []error
}

func (e *publicError) Unwrap() []error { return e.all }
