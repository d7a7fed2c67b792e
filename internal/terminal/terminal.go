// Package terminal is the interface between the Runner and a terminal of any kind.
//
// Two kinds exist: a tmux session (package tmuxctl) and a plain pseudo
// terminal (package ptyterm). Both pass the suite in package terminaltest.
package terminal

import (
	"context"
	"syscall"
)

// MarkerVar is an environment variable of the program in a terminal. Whatever the
// program starts inherits it, so that a child that has detached can be found.
const MarkerVar = "TUITURN_SESSION"

// Config says what to start and in which terminal.
type Config struct {
	// Name identifies the terminal: [A-Za-z0-9_-]+, unique on the host.
	Name string

	// Mark is a further environment entry, "KEY=VALUE", for the program. Nothing else
	// on the host carries it, so that the program and whatever it starts can be found.
	// A terminal of a server with a lease makes its own.
	Mark string

	// Path is the program's absolute path, Args its arguments without the
	// program's name.
	Path string
	Args []string

	// Env is the program's whole environment, "KEY=VALUE" each. Nothing is
	// inherited, but a terminal adds TERM where Env has none.
	Env []string

	// Dir is the working directory. It must exist.
	Dir string

	// Cols and Rows are the size in character cells; zero means 120 by 40.
	Cols, Rows int
}

// A Terminal is one program running in one terminal.
//
// All methods are safe for concurrent use. After the program has ended the
// methods that need it fail with an error that wraps os.ErrProcessDone.
type Terminal interface {
	// Pid is the program's process id.
	Pid() int

	// SendKeys presses keys in order. A key has tmux's name: "Enter",
	// "Escape", "Tab", "Up", "Down", "Left", "Right", "BSpace", "C-a" to
	// "C-z", or is one printable character.
	SendKeys(ctx context.Context, keys ...string) error

	// Paste hands text over as one paste: byte for byte, and between the
	// bracketed-paste marks if the program has asked for them (mode 2004).
	// Text that holds the end mark ESC [ 201 ~ is refused: what followed it
	// would be read as keys.
	Paste(ctx context.Context, text []byte) error

	// Unread returns how many bytes of what was sent the program has not read
	// yet. Keys that a busy program reads together are not keys to some: claude
	// 2.1.104 took them for text.
	Unread(ctx context.Context) (int, error)

	// Screen returns the visible rows, each without trailing blanks and ended
	// by "\n".
	Screen(ctx context.Context) (string, error)

	// Redraw makes the program draw its screen anew, by another size for a moment. The
	// program may still draw when Redraw returns.
	Redraw(ctx context.Context) error

	// Done is closed when the program has ended and Status is known.
	Done() <-chan struct{}

	// Status is how the program ended. It is meaningful once Done is closed.
	Status() syscall.WaitStatus

	// Close ends the program and everything it started, and returns when they are gone.
	// It sends SIGHUP, SIGTERM half-way to ctx's deadline, and SIGKILL when ctx ends.
	// The error tells what is left five seconds after that. Close may be called again,
	// and after the program has ended.
	Close(ctx context.Context) error
}
