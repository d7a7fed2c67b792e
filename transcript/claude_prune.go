package transcript

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

const defaultGrace = time.Hour

// PruneConfig says which sessions Prune removes. The zero value removes only empty
// folders.
type PruneConfig struct {
	// MaxAge limits the time since a session was last used; 0 means no limit.
	MaxAge time.Duration

	// MaxSize limits the size of all sessions together, in bytes; 0 means no
	// limit. Prune removes the sessions that were used longest ago first.
	MaxSize int64

	// InUse, if not nil, returns true for a session that must stay, because a
	// running agent has it or somebody will resume it. Prune calls InUse immediately
	// before it removes the session. The files do not tell: an agent opens its
	// transcript only to write a line, so a conversation that waits for a prompt
	// looks like one that is over.
	InUse func(sessionID string) bool

	// Grace is how long after its last use a session stays in any case; 0 means an
	// hour.
	Grace time.Duration

	// DryRun makes Prune report which sessions it would remove, and remove nothing.
	DryRun bool
}

// PruneReport says what [Prune] has done. Sizes are in bytes and include everything
// that belongs to a session.
type PruneReport struct {
	Removed []Session // the session used longest ago first
	Freed   int64
	Left    int64 // the size of the sessions that are still there
}

// Prune removes old sessions of claude's from home. Of each session it removes the
// transcript and the directory with the session's name beside it, in which claude
// keeps its subagents' transcripts and large results of tools. Prune also removes
// folders that have been empty for Grace. claude makes them again when it needs them.
//
// Prune is meant for a home that only programs use: nobody can resume a removed
// session. It follows no symbolic link, and returns an error if .claude or
// .claude/projects in the home is a symbolic link. Only InUse protects a session that
// an agent begins to use between Prune's last look and the removal.
//
// If something cannot be read or removed, Prune leaves it and goes on. The error then
// joins all failures, and the report still says what was done. Prune stops when ctx
// ends.
func Prune(ctx context.Context, home string, cfg PruneConfig) (PruneReport, error) {
	if cfg.Grace <= 0 {
		cfg.Grace = defaultGrace
	}
	p := pruning{PruneConfig: cfg}
	err := p.run(ctx, home)
	if err = errors.Join(append(p.errs, err)...); err != nil {
		return p.report, fmt.Errorf("prune transcripts of %s: %w", home, err)
	}
	return p.report, nil
}

// A pruning is the state of one Prune.
type pruning struct {
	PruneConfig
	root   *os.Root // the home; no path leads out of it, even if somebody makes a link meanwhile
	report PruneReport
	errs   []error
}

// A stored session is a session with everything that belongs to it.
type stored struct {
	Session
	size int64
	used time.Time
}

func (p *pruning) run(ctx context.Context, home string) (err error) {
	p.root, err = os.OpenRoot(home)
	if err != nil {
		return err
	}
	defer p.root.Close()
	for _, dir := range []string{".claude", projectsDir} {
		info, err := p.root.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // no agent has run in this home
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is not a directory but %v: prune the home to which its target belongs", dir, info.Mode().Type())
		}
	}
	if !p.DryRun {
		p.folders()
	}
	for _, s := range p.stored(home) {
		if err := ctx.Err(); err != nil {
			return err
		}
		tooOld := p.MaxAge > 0 && time.Since(s.used) > p.MaxAge
		tooMuch := p.MaxSize > 0 && p.report.Left > p.MaxSize
		if tooOld || tooMuch {
			p.remove(s)
		}
	}
	return nil
}

const projectsDir = ".claude/projects"

// stored returns all sessions, the one used longest ago first.
func (p *pruning) stored(home string) (all []stored) {
	for s, err := range Sessions(home) {
		if err != nil {
			p.fail(err)
			continue
		}
		one := stored{s, s.Size, s.ModTime}
		if info, serr := os.Lstat(strings.TrimSuffix(s.Path, ".jsonl")); serr == nil && info.IsDir() {
			one, err = p.look(s)
		}
		p.report.Left += one.size
		if err != nil {
			p.fail(err) // the session stays, because it may be in use
			continue
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b stored) int { return a.used.Compare(b.used) })
	return all
}

// look returns the size of a session with everything that belongs to it, and when it
// was last used.
func (p *pruning) look(s Session) (stored, error) {
	one := stored{Session: s}
	add := func(info fs.FileInfo) {
		if info.ModTime().After(one.used) {
			one.used = info.ModTime()
		}
		if info.Mode().IsRegular() {
			one.size += info.Size()
		}
	}
	info, err := p.root.Lstat(s.file())
	if err != nil {
		return one, err
	}
	add(info)
	if info, err := p.root.Lstat(s.side()); err != nil || !info.IsDir() {
		return one, nil
	}
	err = fs.WalkDir(p.root.FS(), s.side(), func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			add(info)
		}
		return err
	})
	return one, err
}

func (s *Session) side() string { return path.Join(projectsDir, s.Folder, s.ID) }
func (s *Session) file() string { return s.side() + ".jsonl" }

// remove removes the session unless somebody uses it.
func (p *pruning) remove(s stored) {
	if !p.DryRun {
		// Somebody may have resumed or removed it while others were removed.
		var err error
		if s, err = p.look(s.Session); err != nil {
			p.fail(err)
			return
		}
	}
	if time.Since(s.used) < p.Grace || p.InUse != nil && p.InUse(s.ID) {
		return
	}
	if !p.DryRun {
		if err := p.unlink(s); err != nil {
			p.fail(err)
			return
		}
	}
	p.report.Removed = append(p.report.Removed, s.Session)
	p.report.Freed += s.size
	p.report.Left -= s.size
}

// unlink removes the transcript last. As long as the transcript is there, the next
// Prune finds what this one could not remove.
func (p *pruning) unlink(s stored) error {
	if info, err := p.root.Lstat(s.side()); err == nil && info.IsDir() {
		if err := p.root.RemoveAll(s.side()); err != nil {
			return err
		}
	}
	return p.root.Remove(s.file())
}

// fail records err. It is no failure if somebody else has removed something.
func (p *pruning) fail(err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		p.errs = append(p.errs, err)
	}
}

// folders removes folders that have been empty for Grace. os.Root.Remove removes only
// empty ones. An agent may be about to use a folder that has just become empty.
func (p *pruning) folders() {
	folders, err := fs.ReadDir(p.root.FS(), projectsDir)
	if err != nil {
		return // the sessions cannot be listed either
	}
	for _, f := range folders {
		if info, err := f.Info(); err == nil && info.IsDir() && time.Since(info.ModTime()) > p.Grace {
			_ = p.root.Remove(path.Join(projectsDir, f.Name()))
		}
	}
}
