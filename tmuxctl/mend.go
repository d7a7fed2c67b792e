package tmuxctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/tuiturn/tuiturn/internal/lease"
)

// mend recreates what a cleaner of temporary files has removed from a lease that
// still has its directory: the server's own directory in it, and the socket, which a
// server recreates on SIGUSR1. If the lease has lost its directory, mend does nothing
// at that name, which may be another user's by now; the error wraps [lease.ErrLost].
// Nothing of a shared server's owner is touched.
func (in *instance) mend(ctx context.Context) error {
	if err := in.lease.Check(); err != nil {
		return err
	}
	if err := os.Mkdir(in.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making its directory again: %w", err)
	}
	if in.shared != nil || !in.up || in.noNewSocket.Load() || in.gone() || in.listens() {
		return nil
	}
	// A server that was told to end, and is wedged, has removed its socket itself
	// and makes no other. A client then reports that.
	in.server.Signal(syscall.SIGUSR1)
	if in.listening(ctx, socketWait) != nil && ctx.Err() == nil {
		in.noNewSocket.Store(true)
	}
	return nil
}

// socketWait is how long a server may take to recreate its socket: 1 to 5 ms,
// measured.
const socketWait = time.Second

// listens tells whether the socket is there.
func (in *instance) listens() bool {
	_, err := os.Lstat(in.socket())
	return !errors.Is(err, fs.ErrNotExist)
}

// noSocket returns the error for a socket that is gone.
func (in *instance) noSocket() error {
	return &fs.PathError{Op: "connect", Path: in.socket(), Err: syscall.ENOENT}
}

// lostDir tells whether a private server has lost the directory of its lease. It can
// then be reached only over the connections it already has, and is closed soon.
func (in *instance) lostDir() bool {
	return in.shared == nil && errors.Is(in.lease.Check(), lease.ErrLost)
}
