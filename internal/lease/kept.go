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

// A directory with the right name need not be the lease's. A cleaner of temporary files
// may remove a lease's directory while it is in use, and then anybody can make another
// one of that name. An agent does so by itself, because its own temporary directory is
// below it (claude 2.1.330, 2.1.332). In a directory like /tmp another user can, too.

// ErrLost is returned when the directory of a lease is gone, whether or not
// something else has its name now.
var ErrLost = fmt.Errorf("the private directory was removed while it was in use: %w", fs.ErrNotExist)

// Check returns nil if the lease still has its directory, else an error that wraps
// [ErrLost]. If a cleaner has removed only the lease's file, Check writes it again.
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

// Remove removes dir, a directory inside the lease's, with everything in it. If the
// lease has lost its directory, Remove removes what an agent has made again at that
// name.
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

// remade tells whether an agent may have made the directory again: it belongs to this
// user and is nobody's lease. Links are not followed.
func (l *Lease) remade() bool {
	info, err := os.Lstat(l.dir)
	if err != nil || !info.IsDir() || owner(info) != os.Geteuid() {
		return false
	}
	_, err = os.Lstat(filepath.Join(l.dir, fileName))
	return errors.Is(err, fs.ErrNotExist)
}

// turnDir matches the name of a turn's directory, the only thing that an agent makes
// again inside a lease's directory. The guardian uses the same pattern.
var turnDir = regexp.MustCompile(`^t-[0-9]+$`)

// removeAll removes the directory with everything in it. If another directory has its
// name, removeAll removes only the directories of turns, and then that directory if it
// is empty: everything else in it is somebody else's.
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

// RemakeParent makes the parent of the lease's directory again, with its old mode, if a
// cleaner has removed the parent too and it belonged to this user.
func (l *Lease) RemakeParent() { l.remake(filepath.Dir(l.dir)) }

func (l *Lease) remake(parent string) {
	if owner(l.parent) != os.Geteuid() {
		return
	}
	if os.Mkdir(parent, 0o700) == nil {
		os.Chmod(parent, l.parent.Mode().Perm()|l.parent.Mode()&fs.ModeSticky)
	}
}
