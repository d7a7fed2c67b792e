package tuiturn

import (
	"fmt"
	"os/exec"
)

// A TerminalKind names the kind of terminal that agents run in. The zero value is Auto.
type TerminalKind string

const (
	// Auto chooses Tmux if Runner.TmuxSocket is set or tmux is in this process's PATH,
	// else Pty.
	Auto TerminalKind = ""

	// Tmux is a session in a tmux server, which a person can watch. The server is the
	// Runner's own, or the one of Runner.TmuxSocket.
	Tmux TerminalKind = "tmux"

	// Pty is a pseudoterminal inside this process.
	Pty TerminalKind = "pty"
)

// resolve turns Auto into the kind that this machine has.
func (k TerminalKind) resolve() (TerminalKind, error) {
	switch k {
	case Tmux, Pty:
		return k, nil
	case Auto:
		if _, err := exec.LookPath("tmux"); err == nil {
			return Tmux, nil
		}
		return Pty, nil
	}
	return "", fmt.Errorf("terminal %q: use %q or %q, or leave it empty to choose automatically", string(k), Tmux, Pty)
}
