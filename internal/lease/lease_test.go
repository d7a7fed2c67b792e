package lease

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/terminal"
)

func TestALeaseIsPrivateAndSaysWhose(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	l := hold(t, parent)
	is.Equal(filepath.Dir(l.Dir()), must(filepath.EvalSymlinks(parent)))
	is.True(strings.HasPrefix(filepath.Base(l.Dir()), "tuiturn-"))
	info, err := os.Lstat(l.Dir())
	is.NoErr(err)
	is.Equal(info.Mode(), fs.ModeDir|0o700)
	c, id, err := readFile(l.Dir())
	is.NoErr(err)
	is.Equal(c.ID, l.ID())
	is.Equal(id.host.Pid, os.Getpid())

	is.NoErr(os.WriteFile(filepath.Join(l.Dir(), "s"), nil, 0o600))
	is.NoErr(l.Release())
	is.Equal(len(below(t, parent)), 0)
	is.NoErr(l.Release())
}

func TestLeasesDiffer(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	a, b := hold(t, parent), hold(t, parent)
	is.True(a.ID() != b.ID())
	is.True(a.Dir() != b.Dir())
}

func TestMarks(t *testing.T) {
	is := is.New(t)
	l := hold(t, t.TempDir())
	first, second := l.Mark("turn-1_x"), l.Mark("turn-1_x")
	is.True(first != second)
	is.True(strings.HasPrefix(first, terminal.MarkerVar+"=turn-1_x@"+l.ID()+"."))
	for _, entry := range []string{first, second} {
		name, id, ok := ParseMark(entry)
		is.True(ok)
		is.Equal(name, "turn-1_x")
		is.Equal(id, l.ID())
	}
	name, id, ok := ParseMark(l.ServerMark())
	is.True(ok)
	is.Equal(name, "")
	is.Equal(id, l.ID())
	state, why := HostState(id)
	is.Equal(state, Alive)
	is.True(strings.Contains(why, "runs"))
}

func TestInFindsTheLeaseOfADirectory(t *testing.T) {
	is := is.New(t)
	l := hold(t, t.TempDir())
	inner := hold(t, l.Dir())
	other := hold(t, t.TempDir())
	is.Equal(In(l.Dir()), l)
	is.Equal(In(filepath.Join(l.Dir(), "a", "b")), l)
	is.Equal(In(inner.Dir()), inner) // the nearest
	is.Equal(In(other.Dir()+"/"), other)
	is.Equal(In(l.Dir()+"0"), nil)
	is.Equal(In(filepath.Dir(l.Dir())), nil)
	is.NoErr(inner.Release())
	is.Equal(In(inner.Dir()), l)
	is.NoErr(l.Release())
	is.Equal(In(l.Dir()), nil)
}

func TestNewFailsCleanly(t *testing.T) {
	dir := t.TempDir()
	link, file := filepath.Join(dir, "link"), filepath.Join(dir, "file")
	closed := filepath.Join(dir, "closed")
	for _, err := range []error{
		os.Symlink("nowhere", link),
		os.WriteFile(file, nil, 0o600),
		os.Mkdir(closed, 0o500),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		parent string
		want   error
	}{
		"no parent":         {filepath.Join(dir, "no"), fs.ErrNotExist},
		"a link to nowhere": {link, fs.ErrNotExist},
		"a file":            {file, nil},
		"a closed one":      {closed, fs.ErrPermission},
		"a name with a NUL": {"a\x00b", nil},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			if c.want == fs.ErrPermission && os.Geteuid() == 0 {
				t.Skip("root may write everywhere")
			}
			l, err := New(t.Context(), c.parent)
			is.Equal(l, nil)
			is.True(err != nil)
			is.True(c.want == nil || errors.Is(err, c.want))
			is.True(strings.HasPrefix(err.Error(), "making a private directory: "))
			is.True(strings.HasSuffix(err.Error(), ": name a writable directory on a local file system"))
			is.Equal(len(below(t, dir)), 0)
			is.Equal(len(guardians(t, dir)), 0)
		})
	}
}

func TestNewHeedsItsContext(t *testing.T) {
	is := is.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	parent := t.TempDir()
	_, err := New(ctx, parent)
	is.True(errors.Is(err, context.Canceled))
	is.Equal(len(below(t, parent)), 0)
}

func TestALinkInThePathIsResolved(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	is.NoErr(os.Symlink(parent, link))
	l := hold(t, link)
	is.Equal(filepath.Dir(l.Dir()), must(filepath.EvalSymlinks(parent)))
	entries, err := List(link)
	is.NoErr(err)
	is.Equal(len(entries), 1)
	is.Equal(entries[0].Dir, l.Dir())
}

func TestTheUmaskDoesNotMatter(t *testing.T) {
	is := is.New(t)
	is.Equal(play(t, "umask", t.TempDir()).rest(), []string{"made: drwx------"})
}

func TestAFullDisk(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	said := play(t, "full", parent).rest()
	is.Equal(len(said), 1)
	is.True(strings.HasPrefix(said[0], "error: making a private directory: recording its host: "))
	is.Equal(len(below(t, parent)), 0)
	is.Equal(len(guardians(t, parent)), 0)
}

// What is made on some network file systems isn't the maker's.
func TestADirectoryOfSomebodyElse(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	is.NoErr(os.Chmod(dir, 0o700))
	is.NoErr(private(must(os.Lstat(dir))))
	is.NoErr(os.Chmod(dir, 0o750))
	is.True(private(must(os.Lstat(dir))) != nil)
	is.NoErr(os.Chmod(dir, 0o700))
	link := filepath.Join(t.TempDir(), "link")
	is.NoErr(os.Symlink(dir, link))
	is.True(private(must(os.Lstat(link))) != nil)
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	is.NoErr(os.Chown(dir, 1, 1))
	err := private(must(os.Lstat(dir)))
	is.True(err != nil && strings.Contains(err.Error(), "belongs to user 1 instead of 0"))
}

// Cleaners of temporary files take what has not been used for days.
func TestReleaseOfADirectoryThatACleanerTook(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	l := hold(t, parent)
	is.NoErr(os.RemoveAll(l.Dir()))
	is.NoErr(l.Release())
	is.Equal(len(guardians(t, parent)), 0)

	// And somebody may have made another one of that name.
	l = hold(t, parent)
	is.NoErr(os.Rename(l.Dir(), l.Dir()+"-moved"))
	is.NoErr(os.Mkdir(l.Dir(), 0o700))
	is.NoErr(l.Release())
	is.Equal(below(t, parent), []string{l.Dir(), l.Dir() + "-moved"})
}

func TestReleaseLeavesNothing(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	round := func() {
		l, err := New(context.Background(), parent)
		is.NoErr(err)
		is.NoErr(l.Release())
	}
	descriptors := func() int { return len(must(os.ReadDir("/dev/fd"))) }
	round() // opens the poller's own descriptors
	goroutines, files := runtime.NumGoroutine(), descriptors()
	for range 10 {
		round()
	}
	eventually(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "the descriptors to be closed", func() bool { return descriptors() <= files })
	is.Equal(len(guardians(t, parent)), 0)
	is.Equal(len(below(t, parent)), 0)
}

func TestAddServer(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	l := hold(t, parent)
	a := SharedServer{"/run/a b", "/usr/bin/tmux", "turn-"}
	b := SharedServer{"/run/ä", "/usr/bin/tmux", "turn-"}
	for _, s := range []SharedServer{a, b, a} {
		is.NoErr(l.AddServer(s))
	}
	entries, err := List(parent)
	is.NoErr(err)
	is.Equal(entries[0].Servers, []SharedServer{a, b})
	for _, bad := range []SharedServer{
		{"", "/usr/bin/tmux", "turn-"},
		{"run/a", "/usr/bin/tmux", "turn-"},
		{"/run/a\nb", "/usr/bin/tmux", "turn-"},
		{"/run/\xff", "/usr/bin/tmux", "turn-"},
		{"/run/a", "tmux", "turn-"},
		{"/run/a", "/usr/bin/tmux", ""},
		{"/run/a", "/usr/bin/tmux", "a b"},
	} {
		is.True(l.AddServer(bad) != nil)
	}
	is.NoErr(l.Release())
	is.True(l.AddServer(b) != nil)
}

func BenchmarkNewAndRelease(b *testing.B) {
	parent := b.TempDir()
	for b.Loop() {
		l, err := New(context.Background(), parent)
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Release(); err != nil {
			b.Fatal(err)
		}
	}
}
