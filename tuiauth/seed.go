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
	// lockWait bounds the wait for another process of ours, and all attempts
	// against a foreign one that keeps changing the file. An update takes
	// milliseconds.
	lockWait = 30 * time.Second

	// tornWait is how long a file that is no JSON must stay the same to be
	// called malformed. A program that writes in place leaves a torn file for
	// less than a millisecond.
	tornWait = 50 * time.Millisecond

	// agentLockStale is when the agent takes its own lock for abandoned.
	agentLockStale = 10 * time.Second

	// maxConfigSize is far above what an agent writes (some 100 KB).
	maxConfigSize = 64 << 20
)

// seed makes the configuration file at path hold what the agent needs. The file
// need not exist.
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
	// Most of the time nothing has to change, and then no lock is needed, nor
	// a home that can be written.
	c, err := s.change(path, target)
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

// A change is what a configuration file holds (nil: there is no file), what it
// has to hold, and the keys in which the two differ.
type change struct {
	old, out []byte
	keys     []string
}

// change finds out what has to change in the file that path leads to.
func (s *steps) change(path, target string) (c change, err error) {
	err = settled(target, func(doc []byte) (err error) {
		c.old = doc
		c.out, c.keys, err = s.layout().Seed(path, doc, s.workdir, s.Mode)
		if err != nil {
			err = fmt.Errorf("%s: %w; repair the file, or move it away and let the agent make a new one", path, err)
		}
		return err
	})
	return c, err
}

// write makes the change under our lock, and returns the change that it made.
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
		c, err := s.change(path, target)
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

// lock serialises our own processes on a directory. Without it nothing is lost,
// see atomicfile.Pending.Commit, but many processes would retry a lot.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	unlock, err = atomicfile.Lock(ctx, dir, lockWait)
	if errors.Is(err, errors.ErrUnsupported) {
		return func() {}, nil
	}
	if errors.Is(err, atomicfile.ErrLocked) {
		return nil, fmt.Errorf("%w for %v; end or resume the process that holds it", err, lockWait)
	}
	return unlock, err
}

// replace makes the change in target if it still holds what it held, and reports
// whether it did. Path is target's name in the home.
func (s *steps) replace(ctx context.Context, path, target string, c change) (bool, error) {
	p, err := atomicfile.Stage(target, c.out)
	if err != nil {
		return false, err
	}
	defer p.Discard()
	// The slow part, writing and syncing, is done: the agent tries its lock
	// once and then writes without it.
	if suffix := s.layout().Lock; suffix != "" {
		release := lockAgent(ctx, path+suffix)
		defer release()
	}
	return p.Commit(c.old)
}

// lockAgent takes the agent's own lock on its configuration: the directory dir,
// which the agent takes for abandoned after ten seconds. If the lock can't be had
// we go on without it, as the agent does: Commit then is what protects its
// updates.
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

// readConfig reads a whole file; nil means that there is none.
func readConfig(path string) ([]byte, error) {
	// Opening a FIFO would wait for a writer.
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

// settled reads the file at path and hands the content to parse, nil if there is
// no file. Content that parse refuses may be torn: a program may be writing it in
// place. It is read again until it stays the same.
func settled(path string, parse func(doc []byte) error) error {
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
		torn = doc
		time.Sleep(tornWait)
	}
}
