package transcript_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
)

const day = 24 * time.Hour

func TestPrune(t *testing.T) {
	for _, c := range []struct {
		name    string
		config  transcript.PruneConfig
		removed string // of s1 to s5, that many days old and of that many KB, and s0 of now
		left    int64
	}{
		{"nothing asked", transcript.PruneConfig{}, "[]", 25},
		{"by age", transcript.PruneConfig{MaxAge: 3*day + time.Hour}, "[s5 s4]", 16},
		{"by size", transcript.PruneConfig{MaxSize: 17 << 10}, "[s5 s4]", 16},
		{"by size, exactly", transcript.PruneConfig{MaxSize: 20 << 10}, "[s5]", 20},
		{"by both", transcript.PruneConfig{MaxAge: 4*day + time.Hour, MaxSize: 15 << 10}, "[s5 s4 s3]", 13},
		{"what is in use stays, and counts", transcript.PruneConfig{MaxSize: 16 << 10, InUse: func(id string) bool { return id == "s5" }}, "[s4 s3 s2]", 16},
		{"what was just used stays", transcript.PruneConfig{MaxAge: 1, MaxSize: 1}, "[s5 s4 s3 s2 s1]", 10},
		{"a longer grace", transcript.PruneConfig{MaxAge: 1, Grace: 2*day + time.Hour}, "[s5 s4 s3]", 13},
		{"a dry run", transcript.PruneConfig{MaxAge: 3*day + time.Hour, DryRun: true}, "[s5 s4]", 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			home := t.TempDir()
			put(t, home, "/w/0", "s0", 10<<10, 0)
			for n := range 5 {
				n++
				put(t, home, fmt.Sprint("/w/", n%2), fmt.Sprint("s", n), n<<10, time.Duration(n)*day)
			}
			before := ids(t, home)
			report, err := transcript.Prune(t.Context(), home, c.config)
			is.NoErr(err)
			var removed []string
			for _, s := range report.Removed {
				removed = append(removed, s.ID)
				_, err := os.Stat(s.Path)
				is.Equal(errors.Is(err, fs.ErrNotExist), !c.config.DryRun)
			}
			is.Equal(fmt.Sprint(removed), c.removed)
			is.Equal(report.Left, c.left<<10)
			is.Equal(report.Freed+report.Left, int64(25<<10))
			if c.config.DryRun {
				removed = nil
			}
			is.Equal(len(ids(t, home)), len(before)-len(removed))
		})
	}
}

// The directory beside a transcript is part of the session. Prune removes both, adds
// both sizes, and leaves the session while any of the files is new.
func TestPruneWhatBelongsToASession(t *testing.T) {
	is := is.New(t)
	home := t.TempDir()
	beside := func(path, name string, age time.Duration) {
		putFile(t, filepath.Join(path[:len(path)-len(".jsonl")], name), 1000, age)
	}
	idle := put(t, home, "/w", "idle", 100, 5*day)
	beside(idle, "subagents/agent-a.jsonl", 5*day)
	beside(idle, "tool-results/b.txt", 5*day)
	// The directories are new, and they count.
	is.NoErr(filepath.WalkDir(idle[:len(idle)-len(".jsonl")], func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, time.Time{}, time.Now().Add(-5*day)))
	}))
	busy := put(t, home, "/w", "busy", 100, 5*day)
	beside(busy, "subagents/agent-a.jsonl", 0)

	report, err := transcript.Prune(t.Context(), home, transcript.PruneConfig{MaxAge: day})
	is.NoErr(err)
	is.Equal(len(report.Removed), 1)
	is.Equal(report.Removed[0].ID, "idle")
	is.Equal(report.Freed, int64(2100))
	is.Equal(report.Left, int64(1100))
	left, err := os.ReadDir(filepath.Dir(idle))
	is.NoErr(err)
	is.Equal(len(left), 2) // busy.jsonl and busy
}

func TestPruneFollowsNoLink(t *testing.T) {
	is := is.New(t)
	home, outside := t.TempDir(), t.TempDir()
	precious := filepath.Join(outside, "precious.jsonl")
	putFile(t, precious, 1, 5*day)
	putFile(t, filepath.Join(outside, "deep", "precious.jsonl"), 1, 5*day)

	path := put(t, home, "/w", "old", 1, 5*day)
	folder := filepath.Dir(path)
	is.NoErr(os.Symlink(precious, filepath.Join(folder, "link.jsonl")))
	is.NoErr(os.Symlink(outside, filepath.Join(filepath.Dir(folder), "-linked")))
	is.NoErr(os.Symlink(outside, filepath.Join(folder, "old"))) // in place of what belongs to it
	with := put(t, home, "/w", "with", 1, 5*day)
	side := with[:len(with)-len(".jsonl")]
	is.NoErr(os.Mkdir(side, 0o700))
	is.NoErr(os.Symlink(outside, filepath.Join(side, "link")))

	report, err := transcript.Prune(t.Context(), home, transcript.PruneConfig{MaxAge: 1, Grace: 1})
	is.NoErr(err)
	is.Equal(len(report.Removed), 2)
	for _, there := range []string{precious, filepath.Join(outside, "deep", "precious.jsonl")} {
		_, err := os.Stat(there)
		is.NoErr(err)
	}

	// Prune refuses a home that shares its sessions with another home.
	for _, name := range []string{".claude", ".claude/projects"} {
		linked := t.TempDir()
		is.NoErr(os.MkdirAll(filepath.Dir(filepath.Join(linked, name)), 0o700))
		is.NoErr(os.Symlink(filepath.Join(home, name), filepath.Join(linked, name)))
		put(t, home, "/w", "again", 1, 5*day)
		_, err := transcript.Prune(t.Context(), linked, transcript.PruneConfig{MaxAge: day})
		is.True(err != nil)
		is.Equal(fmt.Sprint(ids(t, home)), "[again]")
	}
}

// A session stays if somebody resumes it while Prune removes others.
func TestPruneAsksAgain(t *testing.T) {
	is := is.New(t)
	home := t.TempDir()
	put(t, home, "/w", "first", 1, 5*day)
	second := put(t, home, "/w", "second", 1, 4*day)
	report, err := transcript.Prune(t.Context(), home, transcript.PruneConfig{MaxAge: day, InUse: func(id string) bool {
		if id == "first" {
			is.NoErr(os.Chtimes(second, time.Time{}, time.Now()))
		}
		return false
	}})
	is.NoErr(err)
	is.Equal(len(report.Removed), 1)
	is.Equal(fmt.Sprint(ids(t, home)), "[second]")
}

func TestPruneRemovesEmptyFolders(t *testing.T) {
	is := is.New(t)
	home := t.TempDir()
	folder := filepath.Dir(put(t, home, "/w", "old", 1, 5*day))
	prune := func() {
		_, err := transcript.Prune(t.Context(), home, transcript.PruneConfig{MaxAge: day})
		is.NoErr(err)
	}
	prune()
	is.Equal(len(ids(t, home)), 0)
	_, err := os.Stat(folder)
	is.NoErr(err) // it has just changed
	is.NoErr(os.Chtimes(folder, time.Time{}, time.Now().Add(-2*time.Hour)))
	prune()
	_, err = os.Stat(folder)
	is.True(errors.Is(err, fs.ErrNotExist))
	prune()
}

func TestPruneStops(t *testing.T) {
	is := is.New(t)
	home := t.TempDir()
	put(t, home, "/w", "old", 1, 5*day)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := transcript.Prune(ctx, home, transcript.PruneConfig{MaxAge: day})
	is.True(errors.Is(err, context.Canceled))
	is.Equal(len(ids(t, home)), 1)

	_, err = transcript.Prune(t.Context(), filepath.Join(home, "none"), transcript.PruneConfig{})
	is.True(errors.Is(err, fs.ErrNotExist))
	report, err := transcript.Prune(t.Context(), t.TempDir(), transcript.PruneConfig{MaxAge: day})
	is.NoErr(err) // no agent has run there
	is.Equal(report, transcript.PruneReport{})
}
