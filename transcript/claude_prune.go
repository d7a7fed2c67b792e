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

// PruneConfig says which sessions may go. Its zero value removes nothing.
type PruneConfig struct {
	// MaxAge is how long ago a session may have been used last; 0 means that
	// age does not matter.
	MaxAge time.Duration

	// MaxSize is how many bytes the sessions may take together. While they take
	// more, those that were used longest ago are removed; 0 means no limit.
	MaxSize int64

	// InUse, if not nil, says that a session must stay: a running agent has it,
	// or somebody will resume it. It is asked again immediately before the
	// session is removed. Nothing on disk tells that, because an agent opens its
	// transcript for each write: a conversation that waits for its next prompt
	// looks like one that is over.
	InUse func(sessionID string) bool

	// Grace is how long a session that was written to is taken to be in use in
	// any case; 0 means an hour.
	Grace time.Duration

	// DryRun removes nothing and reports what would be removed.
	DryRun bool
}

// PruneReport is what [Prune] has done. Sizes are in bytes, with everything that
// belongs to a session.
type PruneReport struct {
	Removed []Session // those used longest ago first
	Freed   int64
	Left    int64 // the size of what is still there
}

// Prune removes old sessions from home: the transcript and the directory beside
// it that has the session's name, in which the agent keeps its subagents'
// transcripts and large results of tools. A folder that has been empty for
// Grace goes too; the agent makes it anew at need.
//
// Prune is meant for a home that only programs use: what it removes, nobody can
// resume. It follows no symbolic link, and refuses a home in which .claude or
// .claude/projects is one. Only InUse can save a session that an agent begins to
// use between the last look at it and its removal.
//
// What cannot be read or removed is left, and does not keep the rest from being
// removed; the error then joins all failures, and the report still says what
// was done. Prune stops when ctx ends.
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
	root   *os.Root // the home: nothing outside can be reached, whatever becomes a link meanwhile
	report PruneReport
	errs   []error
}

// A stored session is one with all that belongs to it.
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
			return nil // no agent has run here
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is not a directory but %v: prune the home that it belongs to", dir, info.Mode().Type())
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

// stored returns all sessions, those used longest ago first.
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
			p.fail(err) // and it stays, because it may be in use
			continue
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b stored) int { return a.used.Compare(b.used) })
	return all
}

// look looks at the session and at everything that belongs to it.
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

// remove removes the session unless it is in use.
func (p *pruning) remove(s stored) {
	if !p.DryRun {
		// It may have been resumed, or removed, while others were removed.
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

// unlink removes the transcript last: while it is there, the next Prune finds
// what this one could not remove.
func (p *pruning) unlink(s stored) error {
	if info, err := p.root.Lstat(s.side()); err == nil && info.IsDir() {
		if err := p.root.RemoveAll(s.side()); err != nil {
			return err
		}
	}
	return p.root.Remove(s.file())
}

// fail takes note of err. That somebody else has removed something is no failure.
func (p *pruning) fail(err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		p.errs = append(p.errs, err)
	}
}

// folders removes those that are empty, as only empty ones can be. One that has
// just become so may be about to be used again.
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
