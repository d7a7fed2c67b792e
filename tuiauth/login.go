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

// A loginFix is what is to be done about a login file in the home.
type loginFix struct {
	info fs.FileInfo // what is there; nil if nothing is
	away bool        // it has to go
	link bool        // a link to the real home's is to be made
}

// login makes the login file what the mode wants it to be. Name is relative to
// the home. The file is never opened.
func (s *steps) login(ctx context.Context, name string) error {
	path, real := filepath.Join(s.Dir, name), filepath.Join(s.RealHome, name)
	do, err := s.findLogin(path, real)
	if err != nil || !do.away && !do.link {
		return err
	}
	if !s.look {
		unlock, err := lock(ctx, filepath.Dir(path))
		if err != nil {
			return err
		}
		defer unlock()
		if do, err = s.findLogin(path, real); err != nil {
			return err
		}
	}
	if do.away {
		if err := s.takeAway(path, do.info); err != nil {
			return err
		}
	}
	if do.link {
		if !s.look {
			if err := os.Symlink(real, path); err != nil {
				return fmt.Errorf("%w; make the directory writable for this user", err)
			}
		}
		s.report.Linked = append(s.report.Linked, path)
	}
	return nil
}

func (s *steps) findLogin(path, real string) (do loginFix, err error) {
	do.info, err = os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return loginFix{link: s.Mode == Linked}, nil
	case err != nil:
		return do, err
	case s.Mode == Linked && linked(path, real, do.info):
		return do, nil
	case !isLink(do.info) && !do.info.Mode().IsRegular():
		return do, fmt.Errorf("%s is neither a file nor a link; remove it", path)
	}
	do.away, do.link = true, s.Mode == Linked
	return do, nil
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

// takeAway takes the login at path out of the agent's sight.
func (s *steps) takeAway(path string, info fs.FileInfo) error {
	if isLink(info) {
		if !s.look {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%w; remove it by hand", err)
			}
		}
		s.report.Unlinked = append(s.report.Unlinked, path)
		return nil
	}
	aside := path
	if !s.look {
		var err error
		aside, err = moveAside(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone meanwhile
		}
		if err != nil {
			return fmt.Errorf("move the login aside: %w; remove %s by hand", err, path)
		}
	}
	s.report.MovedAside = append(s.report.MovedAside, aside)
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
