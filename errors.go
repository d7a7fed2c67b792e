package tuiturn

import (
	"errors"
	"regexp"
	"strings"
	"syscall"

	"github.com/tuiturn/tuiturn/internal/drive"
)

// Errors of turns, for errors.Is.
var (
	// ErrAuthentication is returned when the service or the agent does not accept the
	// login. For claude that is HTTP 401 and 403 (2.1.104, 2.1.158, 2.1.330), and a
	// login dialog.
	ErrAuthentication = drive.ErrAuthentication

	// ErrTruncated is returned when the answer hit a limit. Result.Text holds the
	// beginning of the answer.
	ErrTruncated = drive.ErrTruncated

	// ErrRefused is returned when the model declined to answer.
	ErrRefused = drive.ErrRefused

	// ErrInterrupted is returned when the turn was stopped, by Conversation.Interrupt
	// or at the terminal.
	ErrInterrupted = drive.ErrInterrupted

	// ErrNoAnswer is returned when the turn ended before the model said anything.
	ErrNoAnswer = drive.ErrNoAnswer

	// ErrNotAccepted is returned when the agent did not take the prompt, or took
	// another text.
	ErrNotAccepted = drive.ErrNotAccepted

	// ErrStopped is returned when somebody has stopped the agent's process, with
	// SIGSTOP or with Ctrl+Z at its terminal. Only Linux reports that.
	ErrStopped = drive.ErrStopped

	// ErrBusy is returned when the conversation already runs a turn, or the session to
	// resume is already open in this process.
	ErrBusy = errors.New("the conversation is busy: wait for its turn to end, or interrupt it")

	// ErrEnded is returned when the conversation takes no more prompts. The session
	// stays in the home: Runner.Resume continues it.
	ErrEnded = drive.ErrEnded

	// ErrClosed is returned when the Runner or the Conversation was closed.
	ErrClosed = drive.ErrClosed
)

// An Error is the error of a turn. errors.Is and errors.As find what happened in Err.
type Error struct {
	// Op names the step that failed: "preparing the home", "starting the agent", …
	Op string

	// SessionID names the turn's session, as in Result.
	SessionID string

	// Screen is the end of what the agent's terminal showed, if that can help: up to 20
	// rows. The token, the prompt and other known secrets are replaced by "[redacted]".
	Screen string

	// Err says what happened.
	Err error
}

// Error returns one line. The screen is not in it.
func (e *Error) Error() string { return e.Op + ": " + oneLine(e.Err.Error()) }

// oneLine joins the lines of an error for a log. A multierror is a list with a heading,
// and an agent's message may have several lines too.
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

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// An APIError is a failure of the model's service. The agent has given up on the
// request, or would only repeat the failure.
type APIError struct {
	Status   int    // HTTP status; 0 if the agent does not record it
	Type     string // the service's name for the error: "overloaded_error"
	Kind     string // the agent's name for the error: "authentication_failed"
	Message  string // the agent's message
	Attempts int    // the number of the agent's retries, if it records them
}

func (e *APIError) Error() string { return (*drive.APIError)(e).Error() }

// Is reports an authentication failure as ErrAuthentication.
func (e *APIError) Is(target error) bool { return (*drive.APIError)(e).Is(target) }

// Retryable reports whether the same request may succeed later. That is so after a rate
// or usage limit, an overload, and a failure of the service or of the network.
func (e *APIError) Retryable() bool { return (*drive.APIError)(e).Retryable() }

// A BlockedError says that the agent waits for a person.
type BlockedError struct {
	// Kind names what the agent waits for. At the agent's start it is "login", "trust",
	// "onboarding", "settings" (a settings file has errors), or "menu" for another
	// menu. During a prompt it is "permission", or "question" for another menu. At any
	// time it is "unknown" for a screen that neither changes nor takes a prompt.
	Kind string

	// Options are the menu's options, in order. Highlighted is the index of the option
	// that Enter would choose; -1 means none.
	Options     []string
	Highlighted int
}

func (e *BlockedError) Error() string { return (*drive.BlockedError)(e).Error() }

// Is reports a login dialog as ErrAuthentication.
func (e *BlockedError) Is(target error) bool { return (*drive.BlockedError)(e).Is(target) }

// An ExitError says that the agent exited during a turn.
type ExitError struct{ Status syscall.WaitStatus }

func (e *ExitError) Error() string { return (*drive.ExitError)(e).Error() }

// public replaces the engine's error types in err by those of this package.
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

// A publicError has the text of an engine's error. errors.As also finds the types of
// this package in it.
type publicError struct {
	error
	all []error
}

func (e *publicError) Unwrap() []error { return e.all }
