package atomicfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"
)

// commit stages and commits new over old, running meanwhile between the
// comparison and the replacement, and returns what the file then holds.
func commit(t *testing.T, path string, old []byte, meanwhile func()) (bool, string) {
	t.Helper()
	is := is.New(t)
	p, err := Stage(path, []byte("new"))
	is.NoErr(err)
	testHookBeforeReplace = meanwhile
	defer func() { testHookBeforeReplace = func() {} }()
	ok, err := p.Commit(old)
	is.NoErr(err)
	p.Discard()
	entries, err := os.ReadDir(filepath.Dir(path))
	is.NoErr(err)
	is.True(len(entries) <= 1) // no temporary file is left
	got, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		is.NoErr(err)
	}
	return ok, string(got)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	temp := filepath.Join(t.TempDir(), "x")
	if err := errors.Join(os.WriteFile(temp, []byte(content), 0o600), os.Rename(temp, path)); err != nil {
		t.Fatal(err)
	}
}

func TestCommit(t *testing.T) {
	for name, c := range map[string]struct {
		there     string // content, or "" for no file
		old       []byte
		meanwhile string // a foreign program's content, "remove", or "" for none
		ok        bool
		want      string
	}{
		"replaces":            {"old", []byte("old"), "", true, "new"},
		"creates":             {"", nil, "", true, "new"},
		"changed before":      {"foreign", []byte("old"), "", false, "foreign"},
		"appeared before":     {"foreign", nil, "", false, "foreign"},
		"vanished before":     {"", []byte("old"), "", false, ""},
		"appeared in between": {"", nil, "foreign", false, "foreign"},
		"removed in between":  {"old", []byte("old"), "remove", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "f")
			if c.there != "" {
				write(t, path, c.there)
			}
			ok, got := commit(t, path, c.old, func() {
				switch c.meanwhile {
				case "":
				case "remove":
					is.NoErr(os.Remove(path))
				default:
					write(t, path, c.meanwhile)
				}
			})
			is.Equal(ok, c.ok)
			is.Equal(got, c.want)
		})
	}
}

func TestCommitPutsBackWhatCameInBetween(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "a")
	write(t, b, "b")
	if err := exchange(a, b); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("files can't be exchanged here")
	} else {
		is.NoErr(err)
	}
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old")
	var foreign fs.FileInfo
	ok, got := commit(t, path, []byte("old"), func() {
		write(t, path, "foreign")
		foreign, _ = os.Stat(path)
	})
	is.True(!ok)
	is.Equal(got, "foreign")
	now, err := os.Stat(path)
	is.NoErr(err)
	is.True(os.SameFile(foreign, now)) // a program that still writes into it writes into the file
}

func TestStageRemovesLeftovers(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	left, live, other := path+tempMark+"1", path+tempMark+"2", path+"x"+tempMark+"3"
	old := time.Now().Add(-2 * tempAge)
	for _, p := range []string{left, live, other} {
		is.NoErr(os.WriteFile(p, nil, 0o600))
		if p != live {
			is.NoErr(os.Chtimes(p, old, old))
		}
	}
	p, err := Stage(path, nil)
	is.NoErr(err)
	p.Discard()
	for p, want := range map[string]bool{left: false, live: true, other: true} {
		_, err := os.Stat(p)
		is.Equal(err == nil, want)
	}
}

func TestStageRefusesWhatIsNoFile(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "f")
	is.NoErr(os.Symlink("x", path))
	_, err := Stage(path, nil)
	is.True(err != nil)
}

func TestLock(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	unlock, err := Lock(t.Context(), dir, 0)
	is.NoErr(err)
	_, err = Lock(t.Context(), dir, 10*time.Millisecond)
	is.True(errors.Is(err, ErrLocked))
	locked, err := Locked(dir)
	is.NoErr(err)
	is.True(locked)
	got := make(chan error)
	go func() {
		unlock, err := Lock(t.Context(), dir, 10*time.Second)
		if err == nil {
			unlock()
		}
		got <- err
	}()
	unlock()
	is.NoErr(<-got)
	locked, err = Locked(dir)
	is.NoErr(err)
	is.True(!locked)
	_, err = Locked(filepath.Join(dir, "no"))
	is.True(errors.Is(err, fs.ErrNotExist))
	_, err = Lock(t.Context(), filepath.Join(dir, "no"), 0)
	is.True(errors.Is(err, fs.ErrNotExist))
}

// Who waits behind others that are at work waits longer than behind one that hangs.
func TestLockWaitsForTheBusy(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := t.TempDir()
	unlock, err := Lock(t.Context(), dir, 0)
	is.NoErr(err)
	got := make(chan error)
	const wait = 3 * time.Second
	go func() {
		unlock, err := Lock(t.Context(), dir, wait)
		if err == nil {
			unlock()
		}
		got <- err
	}()
	for range 2 * wait / (20 * time.Millisecond) {
		is.NoErr(os.WriteFile(filepath.Join(dir, "f"), nil, 0o600))
		is.NoErr(os.Remove(filepath.Join(dir, "f")))
		time.Sleep(20 * time.Millisecond)
	}
	unlock()
	is.NoErr(<-got)
}

func TestLockGivesUpWithItsContext(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	unlock, err := Lock(t.Context(), dir, 0)
	is.NoErr(err)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = Lock(ctx, dir, time.Minute)
	is.True(errors.Is(err, context.DeadlineExceeded))
}
