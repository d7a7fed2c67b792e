package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// ErrLocked is returned when a lock did not become free in time.
var ErrLocked = errors.New("locked by another process")

// Lock takes an exclusive advisory lock on a directory, against other processes and
// against other goroutines of this one. It waits for the lock at most for wait, or until
// ctx ends. While the directory changes, those before it in the queue are at work, and
// the time begins again, nine times at most. The lock is on the directory itself: there
// is no lock file, and the kernel drops the lock when the process dies.
//
// Where a directory can't be locked (NFS, for one) the error wraps
// errors.ErrUnsupported.
func Lock(ctx context.Context, dir string, wait time.Duration) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	began, changed := time.Now(), modTime(f)
	deadline := began.Add(wait)
	for {
		ok, err := tryLock(f, exclusive)
		if ok {
			return func() { f.Close() }, nil
		}
		switch {
		case err != nil:
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case time.Now().After(deadline):
			if now := modTime(f); now.Equal(changed) || time.Since(began) >= 10*wait {
				err = ErrLocked
			} else {
				changed, deadline = now, time.Now().Add(wait)
			}
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		// A blocking flock can't be given a deadline, and a holder that was
		// stopped would hold up everyone for ever. Uneven pauses keep
		// waiters from moving in step.
		time.Sleep(time.Millisecond + rand.N(4*time.Millisecond))
	}
}

// modTime returns when the directory was changed last.
func modTime(dir *os.File) time.Time {
	info, err := dir.Stat()
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Locked tells whether somebody holds the lock on a directory. Concurrent calls of
// Locked don't disturb each other. A concurrent Lock may have to wait a moment for
// Locked.
func Locked(dir string) (bool, error) {
	f, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	ok, err := tryLock(f, shared)
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", dir, err)
	}
	return !ok, nil
}
