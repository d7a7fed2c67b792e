package fakeagent

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A tty is the agent's terminal: standard input and output.
type tty struct {
	fd     int
	cooked *unix.Termios // the modes found at the start
}

func openTTY(fd int) (*tty, error) {
	cooked, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return nil, fmt.Errorf("standard input is not a terminal: %w", err)
	}
	return &tty{fd: fd, cooked: cooked}, nil
}

// raw puts the terminal in raw mode and discards unread input.
func (t *tty) raw() error {
	m := *t.cooked
	m.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	m.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	m.Cc[unix.VMIN], m.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(t.fd, ioctlSetTermiosFlush, &m)
}

// resume puts the terminal in raw mode again and keeps unread input.
func (t *tty) resume(raw *unix.Termios) error {
	return unix.IoctlSetTermios(t.fd, ioctlSetTermios, raw)
}

// restore brings back the modes found at the start. It returns the modes it
// replaced, for resume.
func (t *tty) restore() (*unix.Termios, error) {
	raw, err := unix.IoctlGetTermios(t.fd, ioctlGetTermios)
	if err != nil {
		return nil, err
	}
	return raw, unix.IoctlSetTermios(t.fd, ioctlSetTermios, t.cooked)
}

// size is the terminal's size in character cells, 80 by 24 where it has none.
func (t *tty) size() (cols, rows int) {
	ws, err := unix.IoctlGetWinsize(t.fd, unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 || ws.Row == 0 {
		return 80, 24
	}
	return int(ws.Col), int(ws.Row)
}
