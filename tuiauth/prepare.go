package tuiauth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/tuiturn/tuiturn/internal/atomicfile"
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
	report := Report{Mode: h.Mode}
	err := prepareHome(ctx, h, workdir, &report)
	if err != nil {
		err = fmt.Errorf("prepare %s home: %w", h.Mode, err)
	}
	return report, err
}

func prepareHome(ctx context.Context, h Home, workdir string, report *Report) error {
	edits, err := seeds(h, workdir)
	if err != nil {
		return err
	}
	if h.Mode == Real {
		return seedHome(ctx, h, edits, report)
	}
	if err := makeHome(h, report); err != nil {
		return err
	}
	if h.Mode == Isolated {
		if err := checkIsolated(h); err != nil {
			return err
		}
	}
	if err := prepareCredentials(ctx, h, report); err != nil {
		return err
	}
	return seedHome(ctx, h, edits, report)
}

// seeds are what .claude.json has to say. They are not to be had for a home or a
// working directory that is none.
func seeds(h Home, workdir string) ([]edit, error) {
	if !filepath.IsAbs(h.Dir) || strings.ContainsRune(h.Dir, 0) {
		return nil, fmt.Errorf("%q is not an absolute path; get the home from ResolveHome", h.Dir)
	}
	if h.Mode == Linked && !filepath.IsAbs(h.RealHome) {
		return nil, fmt.Errorf("the real home %q is not an absolute path; get the home from ResolveHome", h.RealHome)
	}
	workdir, err := physicalDir(workdir)
	if err != nil {
		return nil, err
	}
	switch h.Mode {
	case Real:
		return []edit{trust(workdir)}, nil
	case Isolated, Linked:
	default:
		return nil, errors.New("unknown mode; get the home from ResolveHome")
	}
	return []edit{
		{path: []string{"hasCompletedOnboarding"}, value: "true"},
		{path: []string{"theme"}, value: `"dark"`, keep: true},
		trust(workdir),
		{path: []string{"projects", workdir, "hasCompletedProjectOnboarding"}, value: "true"},
		// A CLAUDE.md in workdir may name files outside it. It is not asked about,
		// and they are not read.
		{path: []string{"projects", workdir, "hasClaudeMdExternalIncludesWarningShown"}, value: "true"},
		{path: []string{"projects", workdir, "hasClaudeMdExternalIncludesApproved"}, value: "false", keep: true},
	}, nil
}

func trust(workdir string) edit {
	return edit{path: []string{"projects", workdir, "hasTrustDialogAccepted"}, value: "true"}
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

// makeHome makes the home and its .claude, and refuses those that are the real
// home's under another name.
func makeHome(h Home, report *Report) error {
	if within(h.Dir, h.RealHome) {
		// A daemon's home is often /nonexistent. Run as root we would make it.
		if _, err := os.Lstat(h.RealHome); err != nil {
			return fmt.Errorf("the real home: %w; configure a home elsewhere", err)
		}
	}
	for _, dir := range []string{h.Dir, filepath.Join(h.Dir, ".claude")} {
		if err := makeDir(dir, report); err != nil {
			return fmt.Errorf("%w; make it writable for this user or configure another home", err)
		}
	}
	return checkApart(h)
}

// checkApart refuses a home that is the real one under another name.
func checkApart(h Home) error {
	if h.RealHome == "" {
		return nil
	}
	// Stat opens nothing, and an unreachable real home can't be this one.
	dir, err := os.Stat(h.Dir)
	if err != nil {
		return err
	}
	if real, err := os.Stat(h.RealHome); err == nil && os.SameFile(dir, real) {
		return fmt.Errorf("%s is the real home %s under another name; configure another home", h.Dir, h.RealHome)
	}
	if h.Mode == Isolated {
		return refuseLinkToReal(h, filepath.Join(h.Dir, ".claude"))
	}
	return nil
}

// refuseLinkToReal fails if path leads out of the home into the real one.
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

// makeDir makes dir and what is missing above it, each 0700.
func makeDir(dir string, report *Report) error {
	info, err := os.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: errNotDir}
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeDir(parent, report); err != nil {
			return err
		}
	}
	err = os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		// Another process was faster, or it is a dangling link.
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: errNotDir}
		}
		return nil
	}
	if err == nil {
		report.Created = append(report.Created, dir)
	}
	return err
}

var errNotDir = errors.New("not a directory")

// follow resolves path while it is a symbolic link. What it returns may not
// exist.
func follow(path string) (string, error) {
	name := path
	for range 40 { // as deep as Linux goes
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
			// Not filepath.Join: it would take out "..", which is wrong
			// below a directory that is itself a link.
			link = filepath.Dir(path) + string(filepath.Separator) + link
		}
		path = link
	}
	return "", fmt.Errorf("%s: too many links; remove the loop", name)
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

// within reports whether path is dir or below it. Both are clean.
func within(path, dir string) bool {
	if dir == "" {
		return false
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// lock serialises our own processes on a directory. Without it nothing is lost,
// see atomicfile.Pending.Commit, but many processes would retry a lot.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	unlock, err = atomicfile.Lock(ctx, dir, lockWait)
	if errors.Is(err, errors.ErrUnsupported) {
		return func() {}, nil
	}
	if errors.Is(err, atomicfile.ErrLocked) {
		return nil, fmt.Errorf("%w for %v; end or resume the process that holds it", err, lockWait)
	}
	return unlock, err
}
