package drive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The files of a pane lie in a directory of its own, below that of its place.
// Cleaners of temporary files may remove any of them at any time. As long as the
// place has its directory, which nobody else can write in, each may be made again
// under its name. When that directory is gone, its name may be anybody's: nothing
// is read or written there any more.

// tmp is the agent's TMPDIR: what it leaves there goes with the turn. Keep its name
// short: 2.1.330 makes a socket some 20 bytes further down, and uses /tmp where the
// path is too long for one.
func (p *Pane) tmp() string { return filepath.Join(p.dir, "t") }

// make makes what there is not of the pane's files.
func (p *Pane) make() error {
	for _, dir := range []string{p.dir, p.tmp()} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for _, f := range p.files {
		w, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		_, err = w.WriteString(f.Content)
		if err := errors.Join(err, w.Close()); err != nil {
			os.Remove(f.Path) // or the next look would take it for whole
			return err
		}
	}
	if p.term == nil || p.door != nil && isGone(p.door.script) { // one that was given up stays so
		var err error
		if p.door, err = newDoor(p.dir); err != nil {
			return err
		}
	}
	return nil
}

// mend makes anew what a cleaner of temporary files has taken from the pane. Its
// error tells that it can't be done.
func (p *Pane) mend() error {
	if p.Place.Lease.Check() != nil {
		return Cleaned(p.Place.Lease.Dir())
	}
	if p.missing() == nil {
		return nil
	}
	p.Log.Warn("what was removed is made again", "session", p.Start.Session, "error", p.missing())
	return p.make()
}

// missing tells what a cleaner has taken of what the pane needs; nil is nothing.
func (p *Pane) missing() error {
	if p.Place.Lease.Check() != nil {
		return Cleaned(p.Place.Lease.Dir())
	}
	if p.dir == "" {
		return nil
	}
	paths := []string{p.dir, p.tmp()}
	for _, f := range p.files {
		paths = append(paths, f.Path)
	}
	if p.door != nil {
		paths = append(paths, p.door.script)
	}
	for _, path := range paths {
		if isGone(path) {
			return Cleaned(path)
		}
	}
	return nil
}

// blame adds to an error that a cleaner has taken what the pane needs, if so.
func (p *Pane) blame(err error) error {
	if err == nil || errors.Is(err, errCleaned) {
		return err
	}
	why := p.missing()
	if path := notThere(err); why == nil && strings.HasPrefix(path, p.Place.Lease.Dir()+"/") {
		why = Cleaned(path)
	}
	if why == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, why)
}

// notThere returns the path that an error says does not exist, or "".
func notThere(err error) string {
	path, ok := errors.AsType[*fs.PathError](err)
	link, linked := errors.AsType[*os.LinkError](err)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return ""
	case ok:
		return path.Path
	case linked:
		return link.Old
	}
	return ""
}

var errCleaned = errors.New("has been removed while it was in use, by a cleaner of temporary files it seems")

// Cleaned says that a file or directory of the Runner's is gone.
func Cleaned(path string) error {
	return fmt.Errorf("%s %w: exempt tuiturn-* from the cleaner, or name a directory that it spares in Runner.TempDir", path, errCleaned)
}

func isGone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// FileSize is 0 where there is no file.
func FileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Lookup returns the value of the last variable with that name.
func Lookup(env []string, name string) (value string) {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}
