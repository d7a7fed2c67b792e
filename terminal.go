package tuiturn

import (
	"fmt"
	"os/exec"
)

// A TerminalKind is a kind of terminal to run the agent in.
type TerminalKind string

const (
	// Auto is tmux where it is installed, else a pty.
	Auto TerminalKind = ""

	// Tmux is a session in a tmux server of the Runner's own, or in that of
	// Runner.TmuxSocket, on which a person can look.
	Tmux TerminalKind = "tmux"

	// Pty is a pseudo terminal inside this process.
	Pty TerminalKind = "pty"
)

// resolve decides what Auto means here.
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
	return "", fmt.Errorf("terminal %q: use %q, %q or none for either", string(k), Tmux, Pty)
}
