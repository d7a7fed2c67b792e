package tuiauth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// makeDirs creates the home and the agent's directory in it. It refuses a home that
// is the real home under another name.
func (s *steps) makeDirs() error {
	if within(s.Dir, s.RealHome) {
		// A daemon's home is often /nonexistent. As root we would create it.
		if _, err := os.Lstat(s.RealHome); err != nil {
			return fmt.Errorf("the real home: %w; configure a home outside it", err)
		}
	}
	for _, dir := range []string{s.Dir, filepath.Join(s.Dir, s.layout().Dir)} {
		err := s.makeDir(dir)
		if errors.Is(err, errNotDir) {
			return fmt.Errorf("%w; move it away or configure another home", err)
		}
		if err != nil {
			return fmt.Errorf("%w; make it writable for this user or configure another home", err)
		}
	}
	return checkApart(s.Home)
}

// makeDir creates dir and the missing directories above it, each 0700.
func (s *steps) makeDir(dir string) error {
	if slices.Contains(s.report.Created, dir) {
		return nil
	}
	notDir := &fs.PathError{Op: "mkdir", Path: dir, Err: errNotDir}
	info, err := os.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return notDir
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := s.makeDir(parent); err != nil {
			return err
		}
	}
	if s.look {
		_, err = os.Lstat(dir)
		if err == nil {
			return notDir // a dangling link
		}
		err = nil
	} else {
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		// Another process was faster, or dir is a dangling link.
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return notDir
		}
		return nil
	}
	if err == nil {
		s.report.Created = append(s.report.Created, dir)
	}
	return err
}

var errNotDir = errors.New("not a directory")

// checkApart refuses a home that is the real home under another name. A home that
// does not exist yet passes.
func checkApart(h Home) error {
	if h.RealHome == "" {
		return nil
	}
	// Stat opens nothing, and an unreachable real home can't be this home.
	dir, err := os.Stat(h.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if real, err := os.Stat(h.RealHome); err == nil && os.SameFile(dir, real) {
		return fmt.Errorf("%s is the real home %s under another name; configure another home", h.Dir, h.RealHome)
	}
	if h.Mode == Isolated {
		return refuseLinkToReal(h, filepath.Join(h.Dir, h.layout().Dir))
	}
	return nil
}

// refuseLinkToReal fails if path is a link out of the home into the real home.
func refuseLinkToReal(h Home, path string) error {
	if h.RealHome == "" {
		return nil
	}
	target, err := follow(path)
	if err != nil || target == path {
		return err
	}
	target, real, dir := physical(target), physical(h.RealHome), physical(h.Dir)
	if within(target, real) && !within(target, dir) {
		return fmt.Errorf("%s is a link into the real home (%s), so the home is not isolated; remove the link", path, target)
	}
	return nil
}

// follow resolves path while path is a symbolic link. The result need not exist.
func follow(path string) (string, error) {
	name := path
	for range 40 { // Linux's own limit
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		link, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(link) {
			// filepath.Join would remove "..", which is wrong below a
			// directory that is itself a link.
			link = filepath.Dir(path) + string(filepath.Separator) + link
		}
		path = link
	}
	return "", fmt.Errorf("%s: too many symbolic links; remove the loop", name)
}

// physical resolves the links in the part of path that exists.
func physical(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(physical(parent), filepath.Base(path))
	}
	return path
}

// within reports whether path is dir or below dir. Both are clean.
func within(path, dir string) bool {
	if dir == "" {
		return false
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
