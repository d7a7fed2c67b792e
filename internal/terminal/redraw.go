package terminal

import (
	"context"
	"os"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// redrawWait is how long a terminal has another size. A program that learns of the size
// only when it is as before draws nothing.
const redrawWait = 200 * time.Millisecond

// Redraw makes the program in the terminal device tty draw its screen anew: it makes the
// terminal a column narrower and, redrawWait later, as wide as before. The program may
// still draw when Redraw returns.
func Redraw(ctx context.Context, tty string) error {
	f, err := os.OpenFile(tty, os.O_RDONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := pty.GetsizeFull(f)
	if err != nil {
		return err
	}
	if size.Cols < 2 {
		return nil
	}
	narrow := *size
	narrow.Cols--
	if err := pty.Setsize(f, &narrow); err != nil {
		return err
	}
	select {
	case <-time.After(redrawWait):
	case <-ctx.Done():
	}
	// Somebody else may have changed it meanwhile.
	if now, err := pty.GetsizeFull(f); err != nil || *now != narrow {
		return err
	}
	return pty.Setsize(f, size)
}
