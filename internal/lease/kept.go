package lease

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/hashicorp/go-multierror"
)

// A name that exists proves nothing. A cleaner of temporary files may remove the
// directory of a lease while it is in use, and then the name is anybody's. An
// agent makes it anew by itself, because its own temporary directory lies below
// (claude 2.1.330, 2.1.332); in a directory like /tmp another user can, too.

// ErrLost is returned when the directory of a lease is gone, whether or not
// something else has its name now.
var ErrLost = fmt.Errorf("the private directory was removed while it was in use: %w", fs.ErrNotExist)

// Check tells whether the lease still has its directory. The error wraps
// [ErrLost] if not. Where a cleaner took no more than the file that says whose the
// directory is, Check writes it again.
func (l *Lease) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.check()
}

func (l *Lease) check() error {
	if l.pin == nil {
		return fmt.Errorf("%s: %w", l.dir, fs.ErrClosed)
	}
	if now, err := os.Lstat(l.dir); err != nil || !os.SameFile(now, l.info) {
		return fmt.Errorf("%s: %w", l.dir, ErrLost)
	}
	if _, err := os.Lstat(filepath.Join(l.dir, fileName)); errors.Is(err, fs.ErrNotExist) && l.written != nil {
		// On a full disk it fails, and the directory is the lease's all the same.
		if written, err := writeFile(l.dir, l.file, nil); err == nil {
			l.written = written
		}
	}
	return nil
}

// Remove removes dir, a directory that was made in the lease's, with all that is
// in it. Where the lease has lost its directory, Remove removes what an agent has
// made anew at that name.
func (l *Lease) Remove(dir string) error {
	err := l.Check()
	if err == nil {
		return os.RemoveAll(dir)
	}
	if errors.Is(err, ErrLost) && l.remade() {
		err := os.RemoveAll(dir)
		os.Remove(l.dir) // fails while there is more in it
		return err
	}
	return nil
}

// remade tells whether the lease's name may be that of a directory that an agent
// has made anew: this user's, and nobody's lease. Links are not followed.
func (l *Lease) remade() bool {
	info, err := os.Lstat(l.dir)
	if err != nil || !info.IsDir() || owner(info) != os.Geteuid() {
		return false
	}
	_, err = os.Lstat(filepath.Join(l.dir, fileName))
	return errors.Is(err, fs.ErrNotExist)
}

// turnDir matches the name of a turn's directory, the only thing that an agent
// makes anew in a lease's. The guardian knows it too.
var turnDir = regexp.MustCompile(`^t-[0-9]+$`)

// removeAll removes the directory with all that is in it. Of another one that has
// its name, only the directories of turns go, and the name with the last of them:
// whatever else is there is somebody else's.
func (l *Lease) removeAll() error {
	if now, err := os.Lstat(l.dir); err == nil && os.SameFile(now, l.info) {
		return os.RemoveAll(l.dir)
	}
	if !l.remade() {
		return nil
	}
	names, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	var all *multierror.Error
	for _, n := range names {
		if !turnDir.MatchString(n.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(l.dir, n.Name())); err != nil {
			all = multierror.Append(all, err)
		}
		os.Remove(l.dir) // fails while there is more in it
	}
	return all.ErrorOrNil()
}

// RemakeParent makes the directory that the lease's was made in again, as it was,
// if a cleaner has removed that too and it was this user's.
func (l *Lease) RemakeParent() { l.remake(filepath.Dir(l.dir)) }

func (l *Lease) remake(parent string) {
	if owner(l.parent) != os.Geteuid() {
		return
	}
	if os.Mkdir(parent, 0o700) == nil {
		os.Chmod(parent, l.parent.Mode().Perm()|l.parent.Mode()&fs.ModeSticky)
	}
}
