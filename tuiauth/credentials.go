package tuiauth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// prepareCredentials makes .credentials.json what the mode wants it to be. It
// never opens one.
func prepareCredentials(ctx context.Context, h Home, report *Report) error {
	path := filepath.Join(h.Dir, ".claude", ".credentials.json")
	_, err := os.Lstat(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	if h.Mode == Isolated && missing {
		return nil
	}
	unlock, err := lock(ctx, filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	info, err := os.Lstat(path)
	missing = errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}

	if h.Mode == Isolated {
		return removeCredentials(path, info, report)
	}
	real := filepath.Join(h.RealHome, ".claude", ".credentials.json")
	if !missing {
		if linked(path, real, info) {
			return nil
		}
		if err := removeCredentials(path, info, report); err != nil {
			return err
		}
	}
	if err := os.Symlink(real, path); err != nil {
		return fmt.Errorf("%w; make the directory writable for this user", err)
	}
	report.Linked = append(report.Linked, path)
	return nil
}

// linked tells whether what is at path will do for a link to the real home's
// login.
func linked(path, real string, info fs.FileInfo) bool {
	if link, err := os.Readlink(path); err == nil && link == real {
		return true
	}
	there, err := os.Stat(path)
	realInfo, realErr := os.Stat(real)
	return err == nil && realErr == nil && os.SameFile(there, realInfo) || // reaches it in another way
		realErr != nil && info.Mode().IsRegular() // the only login there is
}

// removeCredentials takes the file at path out of the agent's sight. A nil info
// means that there is none.
func removeCredentials(path string, info fs.FileInfo, report *Report) error {
	switch {
	case info == nil:
		return nil
	case isLink(info):
		err := os.Remove(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w; remove it by hand", err)
		}
		report.Unlinked = append(report.Unlinked, path)
		return nil
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is neither a file nor a link; remove it", path)
	}
	aside, err := moveAside(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone meanwhile
	}
	if err != nil {
		return fmt.Errorf("move credentials aside: %w; remove %s by hand", err, path)
	}
	report.MovedAside = append(report.MovedAside, aside)
	return nil
}

// isLink counts a hard link too: its other name keeps the content, and a change of
// mode would reach the other name's owner.
func isLink(info fs.FileInfo) bool {
	return info.Mode()&fs.ModeSymlink != 0 || info.Mode().IsRegular() && linkCount(info) > 1
}

// moveAside renames a file to a free name beside it and takes others' access to
// it away.
func moveAside(path string) (string, error) {
	for n := 1; ; n++ {
		aside := path + ".aside-" + strconv.Itoa(n)
		// A rename replaces what is there, so the name is taken first with an
		// empty file of our own.
		f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		f.Close()
		if err := os.Rename(path, aside); err != nil {
			os.Remove(aside)
			return "", err
		}
		return aside, os.Chmod(aside, 0o600)
	}
}
