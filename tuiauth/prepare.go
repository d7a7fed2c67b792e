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

// A Report says what PrepareHome changed. It holds paths and key names, never
// file contents, and is fit for a log. When nothing had to change all of it but
// Mode is empty.
type Report struct {
	Mode Mode

	// Created lists the directories and files that were made.
	Created []string

	// Seeded lists the keys that were set, as file: key.key.
	Seeded []string

	// Unlinked lists links to credentials that were removed. What they pointed
	// to is untouched.
	Unlinked []string

	// MovedAside lists credential files that were moved out of the agent's
	// sight, under the names that they have now. They still hold a login.
	MovedAside []string

	// Linked lists links to the real home's credentials that were made.
	Linked []string
}

// PrepareHome makes the agent start in h, with workdir as its working directory,
// without asking anything. A relative workdir is relative to this process's.
//
// In the Real mode it sets one key in .claude.json: that workdir is trusted. In
// the other modes it makes the home (directories 0700, files 0600), marks the
// agent's onboarding as done, and trusts workdir and nothing else: files outside
// it that its CLAUDE.md names are not read, and not asked about. In the Isolated
// mode no login is left where the agent looks for one: a .credentials.json that is
// a link, hard or symbolic, is unlinked, and a file is moved to
// .credentials.json.aside-N. Any other credential in the home's files, and a
// setting that would send one elsewhere, is refused: the error wraps
// [ErrCredential] and names the file and the key, for the operator to remove.
// Refused are apiKeyHelper, primaryApiKey, the provider's profiles in
// .config/anthropic, and in a settings file's env the tokens, keys, service
// addresses, headers and configuration directories of the agent and of its
// provider; proxies are not. No file of the real home is opened. In the Linked
// mode .credentials.json becomes a link to the real home's; see [Linked] for the
// risk. A login of its own in such a home is moved aside if the real home has one
// to link to, else it stays.
//
// What the files hold already is kept byte for byte: only the bytes of changed
// keys change. When nothing has to change nothing is written. A file is replaced
// as a whole or not at all, and keeps its mode; a .claude.json that is a symbolic
// link stays one. Any number of processes may prepare the same home at once, and
// the agent may write meanwhile: nobody's update is lost.
//
// Trust is recorded under workdir's physical path, the one that the agent
// itself asks the system for.
//
// The error wraps [ErrMalformed] if a file is not what the agent would write,
// and the fs error if something can't be read or written. A file that the error
// names is as it was. The Report is right for what was done before the error.
func PrepareHome(h Home, workdir string) (Report, error) {
	return PrepareHomeContext(context.Background(), h, workdir)
}

// PrepareHomeContext is [PrepareHome] that gives up when ctx ends: another
// process may hold a lock for up to half a minute.
func PrepareHomeContext(ctx context.Context, h Home, workdir string) (Report, error) {
	s := steps{Home: h, workdir: workdir, report: Report{Mode: h.Mode}}
	err := s.walk(ctx)
	if err != nil {
		err = fmt.Errorf("prepare %s home: %w", h.Mode, err)
	}
	return s.report, err
}

// CheckHome tells what [PrepareHome] would change, or why it would fail, and
// changes nothing. In its Report are the things that are to be made, seeded,
// linked and removed; a file in MovedAside has the name that it has now. A home
// that needs nothing is ready: its Report is empty but for Mode. Whether the home
// can be written is not tried.
func CheckHome(h Home, workdir string) (Report, error) {
	s := steps{Home: h, workdir: workdir, look: true, report: Report{Mode: h.Mode}}
	err := s.walk(context.Background())
	if err != nil {
		err = fmt.Errorf("check %s home: %w", h.Mode, err)
	}
	return s.report, err
}

// steps are what makes a home ready. Each step finds out what there is to do,
// does it unless look is set, and reports it.
type steps struct {
	Home
	workdir string // physical, once walk has begun
	look    bool   // only report
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

// check refuses a Home and a working directory that can't be prepared.
func (s *steps) check() (err error) {
	switch {
	case !filepath.IsAbs(s.Dir) || strings.ContainsRune(s.Dir, 0):
		return fmt.Errorf("%q is not an absolute path; get the home from ResolveHome", s.Dir)
	case s.Mode == Linked && !filepath.IsAbs(s.RealHome):
		return fmt.Errorf("the real home %q is not an absolute path; get the home from ResolveHome", s.RealHome)
	case s.Mode != Real && s.Mode != Isolated && s.Mode != Linked:
		return errors.New("unknown mode; get the home from ResolveHome")
	}
	if err := s.layout().check(); err != nil {
		return err
	}
	s.workdir, err = physicalDir(s.workdir)
	return err
}

// physicalDir returns the path under which a process in dir finds itself.
func physicalDir(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("the working directory is empty; name the directory that the agent works in")
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
		return "", fmt.Errorf("working directory %q is not a directory; name one", dir)
	}
	if !utf8.ValidString(path) {
		// JSON can't hold the name, and the agent would see another one.
		return "", fmt.Errorf("working directory %q: its path is not UTF-8; rename it", path)
	}
	return path, nil
}
