package lease

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/atomicfile"
	"github.com/tuiturn/tuiturn/internal/terminal"
)

// A Lease is a private directory of this process. Its methods are safe for
// concurrent use.
type Lease struct {
	dir    string
	info   fs.FileInfo // the directory as it was made
	pin    *os.File    // the directory: while it is open nothing else gets its inode
	parent fs.FileInfo // of the directory that it was made in
	id     string
	unlock func()
	last   atomic.Int64 // see Mark

	mu       sync.Mutex
	guardian *guardian // nil once released
	file     file
	written  []byte // what the file holds
}

// lockWait is how long a concurrent List may hold the lock of a new directory.
const lockWait = time.Second

// New makes a lease of this process: a directory below parent that only this user can
// enter. parent must exist; empty means os.TempDir(). ctx bounds the start only. The
// Lease must be released. The directory's path has no symbolic links in it, even if
// parent has.
func New(ctx context.Context, parent string) (*Lease, error) {
	l, err := newLease(ctx, parent)
	for n := 1; n < maxMade && errors.Is(err, errTaken); n++ {
		l, err = newLease(ctx, parent)
	}
	if errors.Is(err, errTaken) {
		err = &DirError{fmt.Errorf("%w: exempt %s* from the cleaner, or name another directory", err, prefix)}
	}
	if err != nil {
		return nil, fmt.Errorf("making a private directory: %w", err)
	}
	return l, nil
}

// maxMade is how often a directory, or a file in it, is made again if a cleaner of
// temporary files removes it before it is complete.
const maxMade = 3

var errTaken = errors.New("a cleaner of temporary files has removed it again")

func newLease(ctx context.Context, parent string) (_ *Lease, err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	id, err := newIdentity()
	if err != nil {
		return nil, err
	}
	if parent == "" {
		parent = os.TempDir()
	}
	l := &Lease{id: id.String(), unlock: func() {}}
	if parent, err = realPath(parent); err == nil {
		l.parent, err = os.Stat(parent)
	}
	if err != nil {
		return nil, dirError(err)
	}
	l.dir, l.info, err = makeDir(parent)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.remake(parent)
		return nil, fmt.Errorf("%w: %w", err, errTaken)
	case err != nil:
		return nil, dirError(err)
	}
	defer func() {
		if err != nil {
			if _, gone := os.Lstat(l.dir); errors.Is(gone, fs.ErrNotExist) {
				l.remake(parent)
				err = fmt.Errorf("%w: %w", err, errTaken)
			}
			l.release()
		}
	}()

	if l.pin, err = os.Open(l.dir); err != nil {
		return nil, err
	}
	// Until the file is written the directory names no host, but it is too young for
	// a sweep to remove. The guardian is started first: from then on nothing is left
	// behind.
	l.file.ID = l.id
	l.file.place(l.info)
	unlock, err := atomicfile.Lock(ctx, l.dir, lockWait)
	switch {
	case err == nil:
		l.unlock, l.file.Locked = sync.OnceFunc(unlock), true
	case !errors.Is(err, errors.ErrUnsupported):
		return nil, err
	}
	if l.guardian, err = startGuardian(l.id, l.dir, l.info); err != nil {
		return nil, err
	}
	l.written, err = writeFile(l.dir, l.file, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist): // the cleaner's: see writeFile
		return nil, fmt.Errorf("recording its host: %w", err)
	case err != nil:
		return nil, &DirError{fmt.Errorf("recording its host: %w: make room there, or name another directory", err)}
	}
	remember(l)
	return l, nil
}

// A DirError is an error that another parent directory may avoid.
type DirError struct{ Err error }

func (e *DirError) Error() string { return e.Err.Error() }

func (e *DirError) Unwrap() error { return e.Err }

func dirError(err error) error {
	return &DirError{fmt.Errorf("%w: name a writable directory on a local file system", err)}
}

// makeDir makes the directory and checks its mode and owner: some file systems keep no
// modes, or give files that root makes to another user.
func makeDir(parent string) (string, fs.FileInfo, error) {
	dir, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return "", nil, err
	}
	err = os.Chmod(dir, 0o700) // the umask may have taken away from it
	if err == nil {
		var info fs.FileInfo
		if info, err = os.Lstat(dir); err == nil {
			err = private(info)
		}
		if err == nil {
			return dir, info, nil
		}
	}
	os.Remove(dir)
	return "", nil, err
}

// private tells what is wrong with a lease's directory.
func private(info fs.FileInfo) error {
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory but %v", info.Name(), info.Mode().Type())
	case owner(info) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d instead of %d", info.Name(), owner(info), os.Geteuid())
	case info.Mode().Perm() != 0o700:
		return fmt.Errorf("%s has mode %#o instead of 0700", info.Name(), info.Mode().Perm())
	}
	return nil
}

func owner(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

func realPath(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// Dir returns the directory's path. A cleaner of temporary files may remove the
// directory.
func (l *Lease) Dir() string { return l.dir }

// ID returns "PID.START.BOOT.NS.NONCE", of [0-9a-z.], which names the lease and its
// host. No two leases ever have the same ID.
func (l *Lease) ID() string { return l.id }

// Mark returns an environment entry for the program of a session. The program, and
// everything it starts, carries the entry and so belongs to the lease. No two calls
// return the same entry. name is the session's name, of [A-Za-z0-9_-].
func (l *Lease) Mark(name string) string {
	return fmt.Sprintf("%s=%s@%s.%d", terminal.MarkerVar, name, l.id, l.last.Add(1))
}

// ServerMark returns an environment entry for a tmux server of the lease. A server is
// ended after the programs in it.
func (l *Lease) ServerMark() string { return ServerVar + "=" + l.id }

var plainPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// AddServer records that the lease has sessions on a shared tmux server. Call it before
// the first such session is made, so that a sweep knows of every session.
func (l *Lease) AddServer(s SharedServer) error {
	for what, path := range map[string]string{"socket": s.Socket, "program": s.Tmux} {
		if !filepath.IsAbs(path) || !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) {
			return fmt.Errorf("recording a shared tmux server: %s %q: give an absolute path of printable UTF-8", what, path)
		}
	}
	if !plainPrefix.MatchString(s.Prefix) {
		return fmt.Errorf("recording a shared tmux server: prefix %q: use one or more letters, digits, - and _", s.Prefix)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.guardian == nil {
		return errors.New("recording a shared tmux server: the lease has been released")
	}
	if slices.Contains(l.file.Servers, s) {
		return nil
	}
	if err := l.check(); err != nil {
		return fmt.Errorf("recording a shared tmux server: %w", err)
	}
	next := l.file
	next.Servers = append(slices.Clone(next.Servers), s)
	written, err := writeFile(l.dir, next, l.written)
	if err != nil {
		return fmt.Errorf("recording a shared tmux server: %w", err)
	}
	l.file, l.written = next, written
	return nil
}

// Release ends the guardian, removes the directory with everything in it, and gives up
// the lock. Everything that was started for the lease must have ended. After an error
// Release may be called again, to remove what could not be removed.
func (l *Lease) Release() error {
	forget(l)
	if err := l.release(); err != nil {
		return fmt.Errorf("releasing %s: %w: release it again, or remove it by hand", l.dir, err)
	}
	return nil
}

func (l *Lease) release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	// The directory first: should the host die in the middle, the guardian
	// does the rest.
	var all *multierror.Error
	if err := l.removeAll(); err != nil {
		all = multierror.Append(all, err)
	}
	if l.guardian != nil {
		if err := l.guardian.release(); err != nil {
			all = multierror.Append(all, err)
		}
		l.guardian = nil
	}
	l.unlock()
	if l.pin != nil && all == nil {
		l.pin.Close() // not before: it may be released again
		l.pin = nil
	}
	return all.ErrorOrNil()
}

// remove removes a directory if it still is the one that info describes.
func remove(dir string, info fs.FileInfo) error {
	now, err := os.Lstat(dir)
	if err == nil && os.SameFile(now, info) {
		return os.RemoveAll(dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// The leases of this process.
var (
	mine   = map[string]*Lease{} // by directory
	mineMu sync.Mutex
)

func remember(l *Lease) {
	mineMu.Lock()
	defer mineMu.Unlock()
	mine[l.dir] = l
}

func forget(l *Lease) {
	mineMu.Lock()
	defer mineMu.Unlock()
	if mine[l.dir] == l { // a cleaner may have freed the name for another
		delete(mine, l.dir)
	}
}

// In returns this process's lease whose directory is dir or an ancestor of dir; nil if
// there is none. dir must be derived from [Lease.Dir]: links are not followed.
func In(dir string) *Lease {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil
	}
	mineMu.Lock()
	defer mineMu.Unlock()
	for ; ; dir = filepath.Dir(dir) {
		if l := mine[dir]; l != nil || dir == filepath.Dir(dir) {
			return l
		}
	}
}

// Is tells whether dir has the name of a lease's directory. A cleaner of temporary files
// may have removed the file that says whose lease it is.
func Is(dir string) bool { return strings.HasPrefix(filepath.Base(dir), prefix) }
