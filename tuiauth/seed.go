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

// seedHome applies edits to the file that the agent reads.
func seedHome(ctx context.Context, h Home, edits []edit, report *Report) error {
	for _, path := range configFiles(h) {
		if err := seed(ctx, h, path, edits, report); err != nil {
			return err
		}
	}
	return nil
}

// configFiles are the files to be seeded: those that the agent may read.
func configFiles(h Home) []string {
	path := filepath.Join(h.Dir, ".claude.json")
	// Where the older place of that file is in use, the agent (2.1.104 to
	// 2.1.330) reads that one. Which of two it prefers depends on its version,
	// so both are seeded; the newer is not made, for that would change the
	// choice.
	legacy := filepath.Join(h.Dir, ".claude", ".config.json")
	if info, err := os.Stat(legacy); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return []string{legacy}
		}
		return []string{legacy, path}
	}
	return []string{path}
}

// seed applies edits to the file at path, which need not exist.
func seed(ctx context.Context, h Home, path string, edits []edit, report *Report) error {
	if h.Mode == Isolated {
		if err := refuseLinkToReal(h, path); err != nil {
			return err
		}
	}
	// Most of the time nothing has to change, and then no lock is needed, nor
	// a home that can be written.
	target, err := follow(path)
	if err != nil {
		return err
	}
	if doc, err := readConfig(target); err == nil && doc != nil {
		if _, changed, err := applyEdits(doc, edits); err == nil && len(changed) == 0 {
			return nil
		}
	}

	unlock, err := lock(ctx, filepath.Dir(target))
	switch {
	case err == nil:
	case ctx.Err() != nil, errors.Is(err, atomicfile.ErrLocked):
		return err
	default:
		return fmt.Errorf("%w; %s must be a directory that this user can read and write", err, filepath.Dir(target))
	}
	defer unlock()
	var torn []byte
	for deadline := time.Now().Add(lockWait); time.Now().Before(deadline); {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		doc, err := readConfig(target)
		if err != nil {
			return err
		}
		old, created := doc, doc == nil
		if created {
			doc = []byte("{}\n")
		}
		out, changed, err := applyEdits(doc, edits)
		if err != nil {
			if torn != nil && bytes.Equal(torn, doc) {
				return fmt.Errorf("%s: %w; mend the file, or move it away and let the agent make a new one", path, err)
			}
			torn = bytes.Clone(doc)
			time.Sleep(tornWait)
			continue
		}
		if len(changed) == 0 {
			return nil
		}
		done, err := replace(ctx, path, target, old, out)
		if err != nil {
			return fmt.Errorf("write %s: %w; make the file and its directory writable for this user, or configure another home", path, err)
		}
		if !done {
			continue
		}
		if created {
			report.Created = append(report.Created, path)
		}
		for _, key := range changed {
			report.Seeded = append(report.Seeded, path+": "+key)
		}
		return nil
	}
	return fmt.Errorf("%s kept changing for %v; end the program that rewrites it", path, lockWait)
}

// replace puts out in target's place if it still holds old, and reports whether
// it did. Path is target's name in the home.
func replace(ctx context.Context, path, target string, old, out []byte) (bool, error) {
	p, err := atomicfile.Stage(target, out)
	if err != nil {
		return false, err
	}
	defer p.Discard()
	// The slow part, writing and syncing, is done: the agent tries its lock
	// once and then writes without it.
	release := lockAgent(ctx, path)
	defer release()
	return p.Commit(old)
}

// lockAgent takes the agent's own lock on its configuration: a directory named
// like the file with ".lock" behind, which it takes for abandoned after ten
// seconds (2.1.104, 2.1.158). If the lock can't be had we go on without it, as
// the agent does: Commit then is what protects its updates.
func lockAgent(ctx context.Context, path string) (release func()) {
	dir := path + ".lock"
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
