package drive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tuiturn/tuiturn/transcript"
)

// full adds to the error of a turn that the agent's home, or its temporary
// directory, can't be written to. An agent says nothing of that: its transcript
// ends, or never begins. Where a cleaner has taken the temporary directory nothing
// is tried: see files.go.
func (p *Pane) full(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed) || errors.Is(err, ErrInterrupted) || errors.Is(err, errCleaned) {
		return err
	}
	home := filepath.Clean(p.Host.Home.Dir)
	for _, place := range []struct{ what, dir, top string }{
		{"the agent's home", filepath.Dir(transcript.Path(home, p.Workdir, p.Start.Session)), home},
		{"the agent's temporary directory", p.dir, p.dir},
	} {
		if unwritable := tryWrite(place.dir, place.top); unwritable != nil {
			return fmt.Errorf("%s can't be written to: %w: make room there, or repair its file system; %w", place.what, unwritable, err)
		}
	}
	return err
}

// tryLength is as much as an agent writes at once: 2.1.330 has lines of 90 KB.
const tryLength = 128 << 10

// tryWrite writes a file in dir and removes it. While there is no dir it tries the
// directories above, up to top, which is never left: what is above top is not ours.
// It returns an error where the file system is the reason why that fails: no space,
// no inodes, a quota, or a file system that can only be read. Only an attempt tells:
// a quota or what is reserved for root don't show in the numbers of a file system.
func tryWrite(dir, top string) error {
	f, err := os.CreateTemp(dir, ".tuiturn-")
	if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && dir != top && parent != dir {
		return tryWrite(parent, top) // the agent has not made dir
	}
	if err == nil {
		_, err = f.Write(make([]byte, tryLength))
		if closeErr := f.Close(); err == nil { // a remote file system may tell only now
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
