package tuiauth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// A Report lists the changes of PrepareHome. It holds paths and names of keys, never
// file contents, and is fit for a log. If nothing had to change, every field but
// Mode is empty.
type Report struct {
	Mode Mode

	// Created lists the directories and files that were created.
	Created []string

	// Seeded lists the keys that were set, as "file: key.key".
	Seeded []string

	// Unlinked lists the links to login files that were removed. The files that
	// the links pointed to are unchanged.
	Unlinked []string

	// MovedAside lists the login files that were moved aside, by their new
	// names. They still hold a login.
	MovedAside []string

	// Linked lists the links to the real home's login files that were created.
	Linked []string
}

// PrepareHome prepares the home h, so that the agent starts in the directory workdir
// without a question. workdir must name a directory that exists ("" is an error); a
// relative path starts at this process's working directory. The modes differ:
//
//   - Real: PrepareHome only records in the agent's configuration that workdir is
//     trusted.
//   - Isolated: PrepareHome creates the home (directories 0700, files 0600), marks
//     the onboarding as done and trusts workdir. It moves a login file of the home
//     aside, and it removes one that is a symbolic or hard link. It refuses every
//     other credential in the home's files, and every setting that would send a
//     credential elsewhere. The error then wraps [ErrCredential] and names the file
//     and the key that the operator has to remove. No file of the real home is
//     opened.
//   - Linked: PrepareHome creates the home, marks the onboarding as done and trusts
//     workdir. It refuses no credential. Each login file becomes a link to the real
//     home's login file; see [Linked] for the risk. The home's own login is moved
//     aside if the real home has a login, else it stays.
//
// Only the bytes of changed keys change in a file. If nothing has to change, nothing
// is written. A file is replaced as a whole or not at all, keeps its mode, and stays
// a symbolic link if it is one. Several processes may prepare the same home at the
// same time, and the agent may write at the same time: no update is lost.
//
// Trust is recorded for workdir's physical path, because that is the path that the
// agent gets from the system.
//
// The error wraps [ErrMalformed] if the agent would not have written a file as it is.
// It wraps the file system's error, such as fs.ErrPermission, if a file can't be read
// or written. A file that the error names is unchanged. With an error, the Report
// lists the changes that were made before it.
func PrepareHome(h Home, workdir string) (Report, error) {
	return PrepareHomeContext(context.Background(), h, workdir)
}

// PrepareHomeContext is [PrepareHome] with a context. PrepareHome waits for a lock
// that another process holds, but fails after a minute in which nothing changes, and
// after ten minutes in all. If ctx ends first, the error wraps its cause.
func PrepareHomeContext(ctx context.Context, h Home, workdir string) (Report, error) {
	s := steps{Home: h, workdir: workdir, report: Report{Mode: h.Mode}}
	err := s.walk(ctx)
	if err != nil {
		err = fmt.Errorf("prepare %s home: %w", h.Mode, err)
	}
	return s.report, err
}

// CheckHome reports what [PrepareHome] would change, or why PrepareHome would fail.
// It changes nothing. A file in MovedAside has its present name. If the home is
// ready, every field of the Report but Mode is empty. CheckHome does not test whether
// the home is writable.
func CheckHome(h Home, workdir string) (Report, error) {
	s := steps{Home: h, workdir: workdir, look: true, report: Report{Mode: h.Mode}}
	err := s.walk(context.Background())
	if err != nil {
		err = fmt.Errorf("check %s home: %w", h.Mode, err)
	}
	return s.report, err
}

// steps prepares a home. Each step finds out what has to change, makes the change
// unless look is set, and reports the change.
type steps struct {
	Home
	workdir string // check makes it physical
	look    bool   // report only
	report  Report
}

func (s *steps) walk(ctx context.Context) error {
	if err := s.check(); err != nil {
		return err
	}
	l := s.layout()
	if s.Mode == Real {
		if _, err := os.Stat(s.Dir); err != nil {
			return fmt.Errorf("the real home: %w; it must exist", err)
		}
	} else {
		if err := s.makeDirs(); err != nil {
			return err
		}
		if s.Mode == Isolated {
			if err := checkIsolated(s.Home); err != nil {
				return err
			}
		}
		for _, c := range l.Credentials {
			if c.Login == "" {
				continue
			}
			if err := s.login(ctx, c.Login); err != nil {
				return err
			}
		}
	}
	if l.Config == nil {
		return nil
	}
	for _, path := range l.Config(s.Dir) {
		if err := s.seed(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// check refuses a Home or a working directory that can't be prepared.
func (s *steps) check() (err error) {
	switch {
	case !filepath.IsAbs(s.Dir) || strings.ContainsRune(s.Dir, 0):
		return fmt.Errorf("%q is not an absolute path; get the home from ResolveHome", s.Dir)
	case s.Mode == Linked && !filepath.IsAbs(s.RealHome):
		return fmt.Errorf("the real home %q is not an absolute path; get the home from ResolveHome", s.RealHome)
	case s.Mode != Real && s.Mode != Isolated && s.Mode != Linked:
		return fmt.Errorf("unknown mode %d; get the home from ResolveHome", int(s.Mode))
	}
	if err := s.layout().check(); err != nil {
		return err
	}
	s.workdir, err = physicalDir(s.workdir)
	return err
}

// physicalDir returns the path that a process in dir gets as its working directory.
func physicalDir(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("the working directory is empty; name the directory in which the agent works")
	}
	path, err := filepath.Abs(dir)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", fmt.Errorf("working directory %q: %w; it must exist", dir, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("working directory %q: %w; it must exist", dir, err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("working directory %q is not a directory; name a directory", dir)
	}
	if !utf8.ValidString(path) {
		// JSON can't hold this path, so the agent would see another path.
		return "", fmt.Errorf("working directory %q: the path is not UTF-8; rename the directory", path)
	}
	return path, nil
}
