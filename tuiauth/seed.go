package tuiauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tuiturn/tuiturn/internal/atomicfile"
)

const (
	// lockWait bounds the wait for another process of ours that changes nothing, and
	// the retries against a foreign program that keeps changing the file. An update
	// takes milliseconds; 100 of 25 processes at once took more than a minute while a
	// busy kernel held up their syncs.
	lockWait = time.Minute

	// tornWait is how long a malformed file must stay the same before it is an
	// error. A program that writes in place leaves a torn file for less than a
	// millisecond.
	tornWait = 50 * time.Millisecond

	// agentLockStale is the age at which the agent considers its own lock stale.
	agentLockStale = 10 * time.Second

	// maxConfigSize is far above the size that an agent writes (some 100 KB).
	maxConfigSize = 64 << 20
)

// seed sets the keys that the agent needs in the configuration file at path. The
// file need not exist.
func (s *steps) seed(ctx context.Context, path string) error {
	if s.Mode == Isolated {
		if err := refuseLinkToReal(s.Home, path); err != nil {
			return err
		}
	}
	target, err := follow(path)
	if err != nil {
		return err
	}
	// Mostly nothing has to change. Then no lock is needed, and the home need
	// not be writable.
	c, err := s.change(ctx, path, target)
	if err == nil && len(c.keys) > 0 && !s.look {
		c, err = s.write(ctx, path, target)
	}
	if err != nil {
		return err
	}
	if c.old == nil && len(c.keys) > 0 {
		s.report.Created = append(s.report.Created, path)
	}
	for _, key := range c.keys {
		s.report.Seeded = append(s.report.Seeded, path+": "+key)
	}
	return nil
}

// A change is a change of a configuration file.
type change struct {
	old  []byte   // nil means that there is no file
	out  []byte   // the new content
	keys []string // the keys that differ
}

// change finds out what has to change in target, the file that path leads to.
func (s *steps) change(ctx context.Context, path, target string) (c change, err error) {
	err = settled(ctx, target, func(doc []byte) (err error) {
		c.old = doc
		c.out, c.keys, err = s.layout().Seed(path, doc, s.workdir, s.Mode)
		if err != nil {
			err = fmt.Errorf("%s: %w; repair the file, or move it away and let the agent make a new one", path, err)
		}
		return err
	})
	return c, err
}

// write finds out the change again under our lock, makes it and returns it.
func (s *steps) write(ctx context.Context, path, target string) (change, error) {
	unlock, err := lock(ctx, filepath.Dir(target))
	switch {
	case err == nil:
	case ctx.Err() != nil, errors.Is(err, atomicfile.ErrLocked):
		return change{}, err
	default:
		return change{}, fmt.Errorf("%w; %s must be a directory that this user can read and write", err, filepath.Dir(target))
	}
	defer unlock()
	for deadline := time.Now().Add(lockWait); time.Now().Before(deadline); {
		if ctx.Err() != nil {
			return change{}, context.Cause(ctx)
		}
		c, err := s.change(ctx, path, target)
		if err != nil || len(c.keys) == 0 {
			return c, err
		}
		done, err := s.replace(ctx, path, target, c)
		if err != nil {
			return change{}, fmt.Errorf("write %s: %w; make the file and its directory writable for this user, or configure another home", path, err)
		}
		if done {
			return c, nil
		}
	}
	return change{}, fmt.Errorf("%s kept changing for %v; end the program that rewrites it", path, lockWait)
}

// lock serialises our own processes on a directory. Without the lock no update is
// lost, see atomicfile.Pending.Commit, but many processes would retry often.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	began := time.Now()
	unlock, err = atomicfile.Lock(ctx, dir, lockWait)
	if errors.Is(err, errors.ErrUnsupported) {
		return func() {}, nil
	}
	if errors.Is(err, atomicfile.ErrLocked) {
		return nil, fmt.Errorf("%w for %v; end or resume the process that holds it", err, time.Since(began).Round(time.Second))
	}
	return unlock, err
}

// replace makes the change if target still has its old content, and reports whether
// it did. Path is target's name in the home.
func (s *steps) replace(ctx context.Context, path, target string, c change) (bool, error) {
	p, err := atomicfile.Stage(target, c.out)
	if err != nil {
		return false, err
	}
	defer p.Discard()
	// The slow part, writing and syncing, is done before the agent's lock is
	// taken: the agent tries its lock once and then writes without the lock.
	if suffix := s.layout().Lock; suffix != "" {
		release := lockAgent(ctx, path+suffix)
		defer release()
	}
	return p.Commit(c.old)
}

// lockAgent takes the agent's own lock on its configuration, the directory dir. The
// agent considers the lock stale after ten seconds. If the lock can't be taken we go
// on without it, as the agent does. Commit then protects the agent's updates.
func lockAgent(ctx context.Context, dir string) (release func()) {
	for deadline := time.Now().Add(agentLockStale + time.Second); time.Now().Before(deadline) && ctx.Err() == nil; {
		err := os.Mkdir(dir, 0o700)
		if err == nil {
			return func() { os.Remove(dir) }
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		info, err := os.Lstat(dir)
		if err == nil && !info.IsDir() {
			break
		}
		if err == nil && time.Since(info.ModTime()) > agentLockStale {
			os.Remove(dir)
			continue
		}
		time.Sleep(2 * time.Millisecond)
	}
	return func() {}
}

// readConfig reads a whole file. Nil means that there is no file.
func readConfig(path string) ([]byte, error) {
	// To open a FIFO would wait for a writer.
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file; move it away", path)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; make it readable for this user", err)
	}
	defer f.Close()
	doc, err := io.ReadAll(io.LimitReader(f, maxConfigSize+1))
	if err != nil {
		return nil, err
	}
	if len(doc) > maxConfigSize {
		return nil, fmt.Errorf("%s is larger than %d MiB; move it away and let the agent make a new one", path, maxConfigSize>>20)
	}
	if doc == nil {
		doc = []byte{}
	}
	return doc, nil
}

// settled reads the file at path and passes the content to parse: nil if there is no
// file. If parse fails, a program may be writing the file in place. The file is then
// read again until its content stays the same, or ctx ends.
func settled(ctx context.Context, path string, parse func(doc []byte) error) error {
	var torn []byte
	for deadline := time.Now().Add(lockWait); ; {
		doc, err := readConfig(path)
		if err != nil {
			return err
		}
		err = parse(doc)
		if err == nil || doc == nil || torn != nil && bytes.Equal(torn, doc) || time.Now().After(deadline) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		torn = doc
		time.Sleep(tornWait)
	}
}
