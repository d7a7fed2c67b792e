package drive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The files of a pane are in a directory of its own, below the directory of its place.
// Cleaners of temporary files may remove any of them at any time. While the place's
// directory exists, nobody else can write in it, and each file may be made again under
// its name. When that directory is gone, anybody may take its name: then nothing is
// read or written there any more.

// tmp returns the agent's TMPDIR. The agent's files in it are removed with the turn.
// Keep the name short: 2.1.330 makes a socket whose path is some 20 bytes longer, and
// uses /tmp if that is too long for a socket.
func (p *Pane) tmp() string { return filepath.Join(p.dir, "t") }

// make makes those of the pane's files that do not exist.
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
			os.Remove(f.Path) // or the next check would take it for complete
			return err
		}
	}
	if p.door != nil && isGone(p.door.script) {
		return p.door.make()
	}
	return nil
}

// mend makes the pane's files again that a cleaner of temporary files has removed. An
// error says that this is impossible.
func (p *Pane) mend() error {
	if p.Place.Lease.Check() != nil {
		return Cleaned(p.Place.Lease.Dir())
	}
	lost := p.missing()
	if lost == nil {
		return nil
	}
	p.lost = lost
	p.Log.Warn("files of an agent were removed and are made again", p.LogID(), "error", lost)
	return p.make()
}

// missing returns an error that names a needed file that a cleaner has removed. Nil
// means that all are there.
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

// blame adds to err that a cleaner has removed a file that the pane needs, if that is
// so.
func (p *Pane) blame(err error) error {
	if err == nil || errors.Is(err, errCleaned) {
		return err
	}
	why := p.missing()
	if path := notThere(err); why == nil && strings.HasPrefix(path, p.Place.Lease.Dir()+"/") {
		why = Cleaned(path)
	}
	// An agent that has noticed the loss of its settings reports no question any more
	// (2.1.332 watches their directory).
	if _, blocked := errors.AsType[*BlockedError](err); blocked && why == nil {
		why = p.lost
	}
	if why == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, why)
}

// notThere returns the path that an error reports as missing, or "".
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

var errCleaned = errors.New("was removed while it was in use, probably by a cleaner of temporary files")

// Cleaned returns an error that says that a file or directory of the Runner's is gone.
func Cleaned(path string) error {
	return fmt.Errorf("%s %w: exempt tuiturn-* from the cleaner, or set Runner.TempDir to a directory that the cleaner spares", path, errCleaned)
}

func isGone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// FileSize returns a file's size, or 0 if the file does not exist.
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
