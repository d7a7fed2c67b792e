package lease

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn/internal/atomicfile"
)

// An Entry is a directory that is a lease, or may be one.
type Entry struct {
	Dir string

	// ID is empty if the directory names no host. State is then Unknown, or Dead if
	// the directory is empty and old enough.
	ID    string
	State State
	Why   string // a clause of plain English: why State is what it is

	Servers []SharedServer

	info fs.FileInfo
}

const (
	// takeWait is how long a concurrent List may hold the lock.
	takeWait = 50 * time.Millisecond

	// youth is how long an empty directory counts as just made. A host needs a
	// millisecond to fill it.
	youth = time.Minute
)

// List reports the directories "tuiturn-*" of this user below parent, which may
// be empty for os.TempDir(). Links are not followed. It changes nothing.
func List(parent string) ([]Entry, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	parent, err := realPath(parent)
	if err != nil {
		return nil, fmt.Errorf("listing leases: %w", err)
	}
	names, err := os.ReadDir(parent)
	if err != nil {
		return nil, fmt.Errorf("listing leases: %w", err)
	}
	var all []Entry
	for _, n := range names {
		if !strings.HasPrefix(n.Name(), prefix) || !n.IsDir() {
			continue
		}
		info, err := n.Info()
		if err != nil || !info.IsDir() || owner(info) != os.Geteuid() {
			continue
		}
		e := Entry{Dir: filepath.Join(parent, n.Name()), info: info}
		e.judge(probe)
		all = append(all, e)
	}
	return all, nil
}

// probe tells whether a directory is locked.
func probe(dir string) evidence {
	locked, err := atomicfile.Locked(dir)
	switch {
	case err != nil:
		return nothing
	case locked:
		return lockHeld
	}
	return lockFree
}

// judge fills in ID, State, Why and Servers. A host locks the directory before it writes
// the file, so the file is read before probe is called.
func (e *Entry) judge(probe func(dir string) evidence) {
	if err := private(e.info); err != nil {
		e.State, e.Why = Unknown, "others may have written to it: "+err.Error()
		return
	}
	c, id, err := readFile(e.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.State, e.Why = e.judgeUnmarked(probe)
		return
	case err != nil:
		e.State, e.Why = Unknown, err.Error()
		return
	case c.copied(e.info, id.boot == here().boot):
		e.State, e.Why = Unknown, "it is a copy of another directory: its file names that one"
		return
	}
	lock := probe(e.Dir)
	if lock == lockFree && !c.Locked {
		lock = nothing
	}
	e.ID, e.Servers = c.ID, c.Servers
	e.State, e.Why = judge(id, lock)
}

// judgeUnmarked judges a directory without the file "lease". It was made by a host that
// died before it could write the file, or by somebody else.
func (e *Entry) judgeUnmarked(probe func(dir string) evidence) (State, string) {
	names, err := os.ReadDir(e.Dir)
	switch {
	case err != nil:
		return Unknown, err.Error()
	case len(names) > 0:
		return Unknown, "it doesn't name its host: no file " + fileName
	case time.Since(e.info.ModTime()) < youth:
		return Unknown, "it is empty, but may have been made just now"
	case probe(e.Dir) == lockHeld:
		return Unknown, "it is empty, but somebody has locked it"
	}
	return Dead, "it is empty and older than " + youth.String()
}

// Take locks the directory of a dead lease against other sweeps, until release is
// called, and checks again that the lease is dead. The error wraps
// [atomicfile.ErrLocked] if somebody else has locked the directory, and
// [fs.ErrNotExist] if it is gone already.
//
// Where directories can't be locked, two sweeps may take the same lease.
func (e Entry) Take() (release func(), err error) {
	if e.State != Dead {
		return nil, fmt.Errorf("taking over %s: it is %v: %s", e.Dir, e.State, e.Why)
	}
	unlock, err := atomicfile.Lock(context.Background(), e.Dir, takeWait)
	lock := lockFree // but for us
	if errors.Is(err, errors.ErrUnsupported) {
		unlock, lock, err = func() {}, nothing, nil
	}
	if err != nil {
		return nil, fmt.Errorf("taking over %s: %w", e.Dir, err)
	}
	if err := e.same(lock); err != nil {
		unlock()
		return nil, fmt.Errorf("taking over %s: %w", e.Dir, err)
	}
	return unlock, nil
}

// same returns an error if the entry is no longer the same dead lease.
func (e Entry) same(lock evidence) error {
	info, err := os.Lstat(e.Dir)
	if err != nil {
		return err
	}
	now := Entry{Dir: e.Dir, info: info}
	if now.judge(func(string) evidence { return lock }); now.ID != e.ID || now.State != Dead || !os.SameFile(info, e.info) {
		return fmt.Errorf("it has changed: it is %v now: %s: list again", now.State, now.Why)
	}
	return nil
}

// Remove removes the directory. Take must have succeeded before. A directory that names
// no host is removed only if it is empty.
func (e Entry) Remove() error {
	if e.ID != "" {
		return remove(e.Dir, e.info)
	}
	if err := os.Remove(e.Dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Considered tells whether a sweep may end processes that carry the ID if it has found
// no directory of that lease. Tests restrict it, because they share the machine with
// other hosts.
var Considered = func(id string) bool { return true }

// Apart separates the leases of a test binary from those of other programs. Leases of
// this executable then name a pid namespace that does not exist. The sweep of another
// program can't tell whether a host of a test lives, and keeps what tests have left;
// the tests' sweeps keep what belongs to others. Call Apart in TestMain, before the
// first lease.
func Apart() {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	name := sha256.Sum256([]byte(path))
	apart := place{here().boot, hex.EncodeToString(name[:8])}
	here = func() place { return apart }
}

// NoOrphans is Considered for tests that look at directories only.
func NoOrphans(string) bool { return false }
