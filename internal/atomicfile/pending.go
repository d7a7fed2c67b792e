// Package atomicfile replaces a file that other programs read and write at the
// same time, without tearing it and without losing what they wrote.
package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// tempMark is part of the name of every temporary file. It identifies the files that a
// killed process has left behind.
const tempMark = ".tuiturn-"

// tempAge is the age at which a temporary file counts as left behind. One in use exists
// for milliseconds.
const tempAge = time.Minute

// testHookBeforeReplace runs between the comparison and the replacement.
var testHookBeforeReplace = func() {}

// A Pending is new content for a file, complete and on disk beside it, but not
// yet in its place.
type Pending struct {
	path string
	temp string
	data []byte
}

// Stage writes data to a temporary file in path's directory and syncs it. The
// temporary file has the mode and, where this process may set it, the owner of
// the file at path, or mode 0600 if there is none. Path must not be a symbolic
// link: the link, not what it points to, would be replaced.
//
// The caller must call Discard, also after a Commit.
func Stage(path string, data []byte) (*Pending, error) {
	old, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if old != nil && !old.Mode().IsRegular() {
		return nil, fmt.Errorf("replace %s: not a regular file", path)
	}
	removeLeftovers(path)
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+tempMark+"*")
	if err != nil {
		return nil, err
	}
	p := &Pending{path: path, temp: f.Name(), data: data}
	_, err = f.Write(data)
	if err == nil && old != nil {
		// A file of another owner can only be replaced, never handed back,
		// without privilege: then the new one is ours.
		keepOwner(f, old)
		err = f.Chmod(old.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		p.Discard()
		return nil, err
	}
	return p, nil
}

// Commit puts the new content in place if the file still holds old, byte for byte; a nil
// old means that there is no file. It reports whether it did. If it did not, the Pending
// is stale: discard it, read the file again, stage again.
//
// On Linux and macOS the two files change places in one step, and then the old file is
// compared too. So another program's write between the comparison and the replacement is
// noticed and put back. One race remains: a program that reads just before that, and
// later writes a result of what it read, undoes the write that was put back. Where files
// can't be exchanged (other systems, some file systems), another program's write between
// the comparison and the rename is lost. Both windows are some 20 µs, and longer if this
// process loses its core in one.
func (p *Pending) Commit(old []byte) (bool, error) {
	current, err := os.ReadFile(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if old != nil {
			return false, nil
		}
		return p.create()
	case err != nil:
		return false, err
	case old == nil || !bytes.Equal(current, old):
		return false, nil
	}
	testHookBeforeReplace()

	// put is the content at path after an exchange, want is the content that the
	// exchange should have taken out. Any other content is newer than both and goes
	// back in, until nobody has written in between.
	put, want := p.data, old
	committed := true
	for {
		err := exchange(p.temp, p.path)
		if errors.Is(err, errors.ErrUnsupported) {
			err = os.Rename(p.temp, p.path)
			syncDir(p.path)
			return err == nil, err
		}
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil // removed meanwhile
		}
		if err != nil {
			return false, err
		}
		out, err := os.ReadFile(p.temp)
		if err != nil {
			return false, err
		}
		if bytes.Equal(out, want) {
			syncDir(p.path)
			return committed, nil
		}
		put, want = out, put
		committed = false
	}
}

// create makes the file where there was none. Unlike a rename, a hard link never
// replaces a file that has appeared meanwhile.
func (p *Pending) create() (bool, error) {
	testHookBeforeReplace()
	err := os.Link(p.temp, p.path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil { // a file system without hard links
		err = os.Rename(p.temp, p.path)
	}
	syncDir(p.path)
	return err == nil, err
}

// Discard removes the temporary file.
func (p *Pending) Discard() { os.Remove(p.temp) }

// removeLeftovers removes the temporary files of processes that were killed
// between Stage and Discard.
func removeLeftovers(path string) {
	// Not filepath.Glob: the directory's name may hold pattern characters.
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	prefix := filepath.Base(path) + tempMark
	for _, e := range entries {
		if len(e.Name()) <= len(prefix) || e.Name()[:len(prefix)] != prefix {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > tempAge {
			os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

// syncDir makes the new name survive a power failure. Some file systems can't
// sync a directory; the content is safe without it, so an error is no failure.
func syncDir(path string) {
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		d.Sync()
		d.Close()
	}
}
