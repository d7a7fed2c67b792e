package drive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// full adds to a turn's error that the agent's home or its temporary directory can't be
// written to, if that is so. An agent does not report that: its transcript ends, or
// never begins. If a cleaner has removed the temporary directory, full tries nothing:
// see files.go.
func (p *Pane) full(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed) || errors.Is(err, ErrInterrupted) || errors.Is(err, errCleaned) {
		return err
	}
	home := filepath.Clean(p.Host.Home.Dir)
	logs := home
	if path := p.Transcript(); path != "" {
		logs = filepath.Dir(path)
	}
	for _, place := range []struct{ what, dir, top string }{
		{"the agent's home", logs, home},
		{"the agent's temporary directory", p.dir, p.dir},
	} {
		if unwritable := tryWrite(place.dir, place.top); unwritable != nil {
			return fmt.Errorf("%s can't be written to: %w: make room there, or repair its file system; %w", place.what, unwritable, err)
		}
	}
	return err
}

// tryLength is about as much as an agent writes at once: 2.1.330 has lines of 90 KB.
const tryLength = 128 << 10

// tryWrite writes a file in dir and removes the file. If dir does not exist, it tries
// the directories above, but none above top, because those are not ours. It returns an
// error only if the file system is the reason of the failure: no space, no inodes, a
// quota, or a read-only file system. Only an attempt shows that: a file system's
// numbers contain neither quotas nor the space reserved for root.
func tryWrite(dir, top string) error {
	f, err := os.CreateTemp(dir, ".tuiturn-")
	if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && dir != top && parent != dir {
		return tryWrite(parent, top) // the agent has not made dir
	}
	if err == nil {
		_, err = f.Write(make([]byte, tryLength))
		if closeErr := f.Close(); err == nil { // a remote file system may report the error only now
			err = closeErr
		}
		os.Remove(f.Name())
	}
	for _, reason := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO} {
		if errors.Is(err, reason) {
			return err
		}
	}
	return nil
}
