package lease

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
)

func TestALeaseKnowsItsDirectory(t *testing.T) {
	is := is.New(t)
	l := hold(t, t.TempDir())
	is.NoErr(l.Check())

	// The file alone is written again.
	is.NoErr(os.Remove(filepath.Join(l.Dir(), fileName)))
	is.NoErr(l.Check())
	c, _, err := readFile(l.Dir())
	is.NoErr(err)
	is.Equal(c, l.file)
	is.NoErr(l.AddServer(SharedServer{"/run/a", "/usr/bin/tmux", "turn-"}))

	for _, anew := range []func() error{
		func() error { return nil },
		func() error { return os.Mkdir(l.Dir(), 0o700) },
		func() error { return os.Symlink("/", l.Dir()) },
	} {
		is.NoErr(os.RemoveAll(l.Dir()))
		is.NoErr(anew())
		is.True(errors.Is(l.Check(), ErrLost))
		is.True(errors.Is(l.AddServer(SharedServer{"/run/b", "/usr/bin/tmux", "turn-"}), ErrLost))
		names, _ := os.ReadDir(l.Dir())
		for _, n := range names {
			is.True(n.Name() != fileName) // it says nothing in a directory of somebody else
		}
	}
	is.NoErr(os.Remove(l.Dir()))
}

// What an agent makes anew goes with its turn, or with the lease; what somebody else
// has there stays.
func TestWhatIsMadeAnewIsRemoved(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	victim := filepath.Join(t.TempDir(), "victim")
	precious := filepath.Join(victim, "t-1", "precious")
	is.NoErr(os.MkdirAll(precious, 0o700))
	anew := func(l *Lease, names ...string) {
		is.NoErr(os.RemoveAll(l.Dir()))
		for _, name := range names {
			is.NoErr(os.MkdirAll(filepath.Join(l.Dir(), name), 0o755))
		}
	}

	l := hold(t, parent)
	anew(l, "t-1/t", "t-2/t")
	is.NoErr(l.Remove(filepath.Join(l.Dir(), "t-1")))
	is.Equal(len(must(os.ReadDir(l.Dir()))), 1)
	is.NoErr(l.Remove(filepath.Join(l.Dir(), "t-2")))
	is.Equal(len(below(t, parent)), 0)
	is.NoErr(l.Release())

	l = hold(t, parent)
	anew(l, "t-1/t", "t-2/t")
	is.NoErr(l.Release())
	is.Equal(len(below(t, parent)), 0)

	l = hold(t, parent)
	anew(l, "t-1/t", "other")
	is.NoErr(l.Release())
	is.Equal(len(must(os.ReadDir(l.Dir()))), 1)
	is.NoErr(os.RemoveAll(l.Dir()))

	// Another lease's.
	l = hold(t, parent)
	anew(l, "t-1/t")
	is.NoErr(os.WriteFile(filepath.Join(l.Dir(), fileName), nil, 0o600))
	is.NoErr(l.Remove(filepath.Join(l.Dir(), "t-1")))
	is.NoErr(l.Release())
	is.Equal(len(must(os.ReadDir(l.Dir()))), 2)
	is.NoErr(os.RemoveAll(l.Dir()))

	// A link, to a place or in one.
	l = hold(t, parent)
	is.NoErr(os.RemoveAll(l.Dir()))
	is.NoErr(os.Symlink(victim, l.Dir()))
	is.NoErr(l.Remove(filepath.Join(l.Dir(), "t-1")))
	is.NoErr(l.Release())
	is.NoErr(os.Remove(l.Dir())) // it is there still
	l = hold(t, parent)
	anew(l, ".")
	is.NoErr(os.Symlink(filepath.Dir(precious), filepath.Join(l.Dir(), "t-1")))
	is.NoErr(l.Release())
	is.Equal(len(below(t, parent)), 0)
	_, err := os.Lstat(precious)
	is.NoErr(err)
}

func TestTheParentIsMadeAgain(t *testing.T) {
	is := is.New(t)
	parent := filepath.Join(t.TempDir(), "parent")
	is.NoErr(os.Mkdir(parent, 0o700))
	is.NoErr(os.Chmod(parent, 0o777|os.ModeSticky))
	l := hold(t, parent)
	is.NoErr(os.RemoveAll(parent))
	l.RemakeParent()
	is.Equal(must(os.Lstat(parent)).Mode(), os.ModeDir|os.ModeSticky|0o777)
}

// The guardian too takes what an agent has made anew, and nothing else, and ends the
// programs of a lease that has lost its directory.
func TestTheGuardianOfALostLease(t *testing.T) {
	for name, c := range map[string]struct {
		made []string
		left int // entries in parent
	}{
		"made anew by an agent": {[]string{"t-1/t", "t-2/t"}, 0},
		"gone":                  {nil, 0},
		"somebody else's":       {[]string{"t-1/t", "other"}, 1},
		"empty":                 {[]string{"."}, 1},
		"another lease's":       {[]string{"t-1/t", fileName}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			t.Parallel()
			parent := t.TempDir()
			h := everything(t, parent, system)
			is.NoErr(os.RemoveAll(h.dir))
			for _, name := range c.made {
				is.NoErr(os.MkdirAll(filepath.Join(h.dir, name), 0o755))
			}
			h.kill()
			eventually(t, "the programs to end", func() bool { return len(left(t)) == 0 })
			eventually(t, "the guardian to go", func() bool { return !alive(h.guardian) })
			is.Equal(len(below(t, parent)), c.left)
		})
	}
}

// A descriptor that was inherited may be above the limit of today.
func TestADescriptorAboveTheLimit(t *testing.T) {
	is := is.New(t)
	is.Equal(play(t, "lowered", t.TempDir()).rest(), []string{"made: drwx------"})
}

// A cleaner that never rests may take any file the moment it is made: whatever a
// lease then fails at, it says why.
func TestACleanerThatNeverRests(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	ctx, rest := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		for ctx.Err() == nil {
			files, _ := filepath.Glob(filepath.Join(parent, "*", "*"))
			for _, f := range files {
				os.Remove(f)
			}
		}
	}()
	defer func() { rest(); <-over }()

	told := 0
	honest := func(err error) bool {
		if err != nil && !errors.Is(err, errTaken) {
			t.Errorf("not told of the cleaner: %v", err)
		}
		if err != nil {
			told++
		}
		return err == nil
	}
	for range 100 {
		l, err := New(t.Context(), parent)
		if _, dir := errors.AsType[*DirError](err); err != nil && !dir {
			t.Errorf("not told that another directory may do: %v", err)
		}
		if !honest(err) {
			continue
		}
		for _, socket := range []string{"/run/a", "/run/b", "/run/c"} {
			honest(l.AddServer(SharedServer{socket, "/usr/bin/tmux", "turn-"}))
		}
		is.NoErr(l.Release())
	}
	t.Logf("told %d times of 400", told)
}
