// Package fifo hands bytes to one reader without leaving a copy of them in a
// file, an argument or another process's memory.
package fifo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrGone is returned when the reader ended before it asked for anything.
var ErrGone = errors.New("the reader ended before it opened the FIFO")

// poll is how often Open looks for a reader: there is no event for that.
const poll = time.Millisecond

// A FIFO is a named pipe that only this user can open.
type FIFO struct {
	Path string
	held *os.File // see hold
}

// New makes a FIFO at path, which must not exist. The caller must call Remove unless
// Open has succeeded.
func New(path string) (FIFO, error) {
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return FIFO{}, fmt.Errorf("making a FIFO: %w", &fs.PathError{Op: "mkfifo", Path: path, Err: err})
	}
	return FIFO{path, hold(path)}, nil
}

// At returns the FIFO that somebody has made at path. The caller must call Remove
// unless Open has succeeded.
func At(path string) FIFO { return FIFO{path, hold(path)} }

// openPath returns the path to open. Where the system allows, the path leads to the
// FIFO itself, even if a cleaner of temporary files has removed the FIFO's name.
// Otherwise a reader that had opened the FIFO before would wait for ever.
func (f FIFO) openPath() string {
	if f.held == nil {
		return f.Path
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.held.Fd())
}

// Remove removes the FIFO, if it is still there. A reader that waits in its open for a
// writer then reads the end of file instead of waiting for ever.
func (f FIFO) Remove() {
	if fd, err := unix.Open(f.openPath(), unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
		defer unix.Close(fd)
	}
	os.Remove(f.Path)
	if f.held != nil {
		f.held.Close()
	}
}

// Open waits until a reader has opened the FIFO and returns the writing end. It removes
// the FIFO's name, so that a second reader gets an error instead of waiting for ever.
// Open gives up when ctx ends or gone is closed.
//
// It opens the FIFO with O_NONBLOCK, because ctx could not end a wait in the kernel.
func (f FIFO) Open(ctx context.Context, gone <-chan struct{}) (*Writer, error) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		_, named := os.Lstat(f.Path) // before: who has the name opens in time
		// Not os.OpenFile, which does not poll a FIFO on macOS.
		fd, err := unix.Open(f.openPath(), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err == nil {
			f.Remove()
			return &Writer{os.NewFile(uintptr(fd), f.Path)}, nil
		}
		if err == unix.ENXIO && errors.Is(named, fs.ErrNotExist) {
			err = unix.ENOENT // nobody can come any more
		}
		if err != unix.ENXIO && err != unix.EINTR {
			return nil, &fs.PathError{Op: "open", Path: f.Path, Err: err}
		}
		select {
		case <-tick.C:
		case <-gone:
			return nil, ErrGone
		case <-ctx.Done():
		}
	}
}

// A Writer is the writing end of a FIFO that has a reader.
type Writer struct{ file *os.File }

// Deliver writes data and closes the FIFO, so that the reader gets the end of file. If
// ctx ends first, the reader gets only a part of data. If the reader has gone, the error
// wraps [unix.EPIPE]. A reader that ends later may not have read everything.
func (w *Writer) Deliver(ctx context.Context, data []byte) error {
	defer w.file.Close()
	if err := ctx.Err(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { w.file.SetWriteDeadline(time.Now()) })
	defer stop()
	_, err := w.file.Write(data)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ctx.Err()
	}
	return err
}
