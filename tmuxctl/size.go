package tmuxctl

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"github.com/creack/pty"
)

// keepSize restores the window's size if a person or another client of a shared
// server has changed it. It also restores the terminal's size to that of its pane if
// a program in the pane has changed it (stty). If somebody has split the window, the
// pane keeps its size. Where tmux has no resize-window (before 2.9) nothing is done.
// The program redraws a moment later.
func (t *Session) keepSize(ctx context.Context) {
	if !t.in.can.fixedSize {
		return
	}
	tty, err := os.OpenFile(t.tty, os.O_RDONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return // the program has ended
	}
	defer tty.Close()
	if t.alive() != nil { // now: another program may have got the name
		return
	}
	size, err := pty.GetsizeFull(tty)
	if err != nil || int(size.Cols) == t.cols && int(size.Rows) == t.rows {
		return
	}
	out, err := t.in.run(ctx, nil, "display-message", "-p", "-t", t.pane, "#{window_width} #{window_height} #{pane_width} #{pane_height}")
	if err != nil {
		return
	}
	var cols, rows int
	var pane pty.Winsize
	if _, err := fmt.Sscan(string(out), &cols, &rows, &pane.Cols, &pane.Rows); err != nil {
		return
	}
	switch {
	case cols != t.cols || rows != t.rows:
		t.in.run(ctx, nil, "resize-window", "-t", t.pane, "-x", fmt.Sprint(t.cols), "-y", fmt.Sprint(t.rows))
	case pane.Cols != size.Cols || pane.Rows != size.Rows:
		pty.Setsize(tty, &pane)
	}
}
