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

// A loginFix tells what has to change at the path of a login file.
type loginFix struct {
	info fs.FileInfo // of the present file; nil if there is none
	away bool        // the present file has to go
	link bool        // a link to the real home's login has to be created
}

// login removes or links a login file, as the mode requires. Name is relative to the
// home. The file is never opened.
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

// linked tells whether the file at path needs no link to the real home's login.
func linked(path, real string, info fs.FileInfo) bool {
	if link, err := os.Readlink(path); err == nil && link == real {
		return true
	}
	there, err := os.Stat(path)
	realInfo, realErr := os.Stat(real)
	return err == nil && realErr == nil && os.SameFile(there, realInfo) || // path leads there in another way
		realErr != nil && info.Mode().IsRegular() // the real home has no login
}

// takeAway removes the login at path if it is a link, and else moves it aside.
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
			return nil // another process was faster
		}
		if err != nil {
			return fmt.Errorf("move the login aside: %w; remove %s by hand", err, path)
		}
	}
	s.report.MovedAside = append(s.report.MovedAside, aside)
	return nil
}

// isLink tells whether a file is a symbolic or a hard link. A hard link's other name
// keeps the content, and a change of the mode would change the other name's too.
func isLink(info fs.FileInfo) bool {
	return info.Mode()&fs.ModeSymlink != 0 || info.Mode().IsRegular() && linkCount(info) > 1
}

// moveAside moves a file aside and makes it private, 0600.
func moveAside(path string) (string, error) {
	for n := 1; ; n++ {
		aside := path + ".aside-" + strconv.Itoa(n)
		// A rename replaces an existing file, so an empty file of our own
		// takes the name first.
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
