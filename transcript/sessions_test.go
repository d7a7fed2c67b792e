package transcript_test

import (
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

// put makes a session of size bytes that was last written to age ago.
func put(t *testing.T, home, workdir, id string, size int, age time.Duration) string {
	t.Helper()
	path := transcript.Path(home, workdir, id)
	putFile(t, path, size, age)
	return path
}

func putFile(t *testing.T, path string, size int, age time.Duration) {
	t.Helper()
	is := is.New(t)
	is.NoErr(os.MkdirAll(filepath.Dir(path), 0o700))
	is.NoErr(os.WriteFile(path, make([]byte, size), 0o600))
	is.NoErr(os.Chtimes(path, time.Time{}, time.Now().Add(-age)))
}

func ids(t *testing.T, home string) (ids []string) {
	t.Helper()
	for s, err := range transcript.Sessions(home) {
		is.New(t).NoErr(err)
		ids = append(ids, s.ID)
	}
	return ids
}

func TestSessions(t *testing.T) {
	is := is.New(t)
	home := t.TempDir()
	is.Equal(len(ids(t, home)), 0) // no agent has run here

	path := put(t, home, "/w/b", "b1", 7, time.Hour)
	put(t, home, "/w/a", "a2", 0, 0)
	put(t, home, "/w/a", "a1", 0, 0)
	// None of these is a session, and no link is followed.
	folder := filepath.Dir(path)
	put(t, home, "/w/b", "agent-a1b2", 0, 0)
	putFile(t, filepath.Join(folder, "b1", "subagents", "agent-x.jsonl"), 1, 0)
	putFile(t, filepath.Join(folder, "notes.txt"), 1, 0)
	putFile(t, filepath.Join(folder, "not an id.jsonl"), 1, 0)
	putFile(t, filepath.Join(filepath.Dir(folder), "stray.jsonl"), 1, 0)
	is.NoErr(os.Mkdir(filepath.Join(folder, "directory.jsonl"), 0o700))
	is.NoErr(os.Symlink(path, filepath.Join(folder, "link.jsonl")))
	is.NoErr(os.Symlink(folder, filepath.Join(filepath.Dir(folder), "-linked")))

	is.Equal(fmt.Sprint(ids(t, home)), "[a1 a2 b1]")
	for s, err := range transcript.Sessions(home) {
		is.NoErr(err)
		if s.ID == "b1" {
			is.Equal(s.Path, path)
			is.Equal(s.Folder, "-w-b")
			is.Equal(s.Size, int64(7))
			is.Equal(time.Since(s.ModTime).Round(time.Minute), time.Hour)
		}
	}
	for s := range transcript.Sessions(home) {
		is.Equal(s.ID, "a1")
		break
	}
}

func TestSessionsInAFolderThatCannotBeRead(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	is := is.New(t)
	home := t.TempDir()
	for _, dir := range []string{"/a", "/b", "/c"} {
		put(t, home, dir, "s"+dir[1:], 0, 2*time.Hour)
	}
	closed := filepath.Dir(transcript.Path(home, "/b", "x"))
	is.NoErr(os.Chmod(closed, 0))
	t.Cleanup(func() { is.NoErr(os.Chmod(closed, 0o700)) })
	var got []string
	for s, err := range transcript.Sessions(home) {
		if err != nil {
			is.True(errors.Is(err, fs.ErrPermission))
			is.Equal(s, transcript.Session{Folder: "-b"})
		}
		got = append(got, s.ID)
	}
	is.Equal(fmt.Sprintf("%q", got), `["sa" "" "sc"]`)

	_, err := transcript.Newest(home, "/b")
	is.True(errors.Is(err, fs.ErrPermission))
	report, err := transcript.Prune(t.Context(), home, transcript.PruneConfig{MaxAge: 1})
	is.True(errors.Is(err, fs.ErrPermission))
	is.Equal(len(report.Removed), 2) // the others all the same
}

// Sessions and Prune run while somebody else removes the sessions.
func TestSessionsWhileTheyGo(t *testing.T) {
	is := is.New(t)
	home := t.TempDir()
	for i := range 50 {
		for j := range 10 {
			put(t, home, fmt.Sprint("/w/", i), fmt.Sprintf("s-%d-%d", i, j), 1, 2*time.Hour)
		}
	}
	removed := make(chan error, 1)
	go func() { removed <- os.RemoveAll(filepath.Join(home, ".claude")) }()
	for range 3 {
		ids(t, home)
		_, err := transcript.Prune(t.Context(), home, transcript.PruneConfig{MaxAge: time.Hour})
		is.NoErr(err)
	}
	is.NoErr(<-removed)
}

func TestNewest(t *testing.T) {
	is := is.New(t)
	home := t.TempDir()
	workdir, err := filepath.EvalSymlinks(t.TempDir())
	is.NoErr(err)
	link := filepath.Join(t.TempDir(), "link")
	is.NoErr(os.Symlink(workdir, link))

	_, err = transcript.Newest(home, link)
	is.True(errors.Is(err, fs.ErrNotExist))
	put(t, home, "/elsewhere", "other", 0, 0)
	put(t, home, workdir, "old", 0, time.Hour)
	put(t, home, workdir, "new", 3, time.Minute)
	put(t, home, workdir, "older", 0, 2*time.Hour)
	got, err := transcript.Newest(home, link)
	is.NoErr(err)
	is.Equal(got.ID, "new")
	is.Equal(got.Size, int64(3))
}
