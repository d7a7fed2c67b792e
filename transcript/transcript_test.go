package transcript_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
)

const session = "0b5f7f0e-3c1d-4d0e-9d3c-0a6d6c1f9a11"

func TestPath(t *testing.T) {
	long := "/work/" + strings.Repeat("x", 100) + "/" + strings.Repeat("y", 90) + "é/" + strings.Repeat("z", 40)
	for _, c := range []struct{ name, workdir, folder string }{
		{"letters and digits stay", "/home/Bob7/src", "-home-Bob7-src"},
		{"everything else is a dash", "/a b/c.d_e-f", "-a-b-c-d-e-f"},
		{"a character of the basic plane is one dash", "/é", "--"},
		{"a character beyond it is two", "/😀", "---"},
		{"200 units stay", "/" + strings.Repeat("a", 199), "-" + strings.Repeat("a", 199)},
		// The hash is the one that 2.1.104, 2.1.158 and 2.1.330 made of this path.
		{"more are cut and hashed", strings.Replace(long, "/work/", "/tmp/txfz69p_vd/", 1),
			"-tmp-txfz69p-vd-" + strings.Repeat("x", 100) + "-" + strings.Repeat("y", 83) + "-4m685"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			want := filepath.Join("/home", ".claude", "projects", c.folder, session+".jsonl")
			got := transcript.Path("/home", c.workdir, session)
			if strings.Contains(c.name, "hashed") {
				dir := filepath.Base(filepath.Dir(got))
				is.True(strings.HasSuffix(dir, "-4m685"))
				is.Equal(len(dir), 206)
				return
			}
			is.Equal(got, want)
		})
	}
}

func TestFind(t *testing.T) {
	is := is.New(t)
	home := t.TempDir()
	_, err := transcript.Find(home, session)
	is.True(errors.Is(err, fs.ErrNotExist)) // no projects yet

	here := transcript.Path(home, "/some/where", session)
	touch(t, transcript.Path(home, "/else/where", "other"))
	_, err = transcript.Find(home, session)
	is.True(errors.Is(err, fs.ErrNotExist)) // projects, but not ours

	touch(t, here)
	got, err := transcript.Find(home, session)
	is.NoErr(err)
	is.Equal(got, here)
}

func TestFindRefusesWhatIsNoSessionID(t *testing.T) {
	for _, id := range []string{"", "../x", "a/b", `a\b`, "*", "a?", "[a]", "a.b", "a\x00", strings.Repeat("a", 129)} {
		t.Run(id, func(t *testing.T) {
			is := is.New(t)
			_, err := transcript.Find(t.TempDir(), id)
			is.True(err != nil)
			is.True(!errors.Is(err, fs.ErrNotExist)) // refused, not looked for
			_, err = transcript.FindIn(t.TempDir(), "/", id)
			is.True(err != nil && !errors.Is(err, fs.ErrNotExist))
		})
	}
}

func TestFindIn(t *testing.T) {
	is := is.New(t)
	home, real := t.TempDir(), t.TempDir()
	real, err := filepath.EvalSymlinks(real)
	is.NoErr(err)
	link := filepath.Join(t.TempDir(), "link")
	is.NoErr(os.Symlink(real, link))

	elsewhere := transcript.Path(home, "/elsewhere", session)
	touch(t, elsewhere)
	got, err := transcript.FindIn(home, link, session)
	is.NoErr(err)
	is.Equal(got, elsewhere) // by the scan

	straight := transcript.Path(home, real, session)
	touch(t, straight)
	got, err = transcript.FindIn(home, link, session)
	is.NoErr(err)
	is.Equal(got, straight)
}

func TestFindOpensNoTranscript(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root opens everything")
	}
	is := is.New(t)
	home := t.TempDir()
	path := transcript.Path(home, "/w", session)
	touch(t, path)
	is.NoErr(os.Chmod(path, 0))
	_, err := transcript.Find(home, session)
	is.NoErr(err)
}

func touch(t *testing.T, path string) {
	t.Helper()
	is := is.New(t)
	is.NoErr(os.MkdirAll(filepath.Dir(path), 0o700))
	is.NoErr(os.WriteFile(path, nil, 0o600))
}

// collect follows until n lines have come.
func collect(ctx context.Context, f *transcript.Follower, n int) (events []transcript.Event, err error) {
	for ev, err := range f.Events(ctx) {
		if err != nil {
			return events, err
		}
		ev.Raw = append([]byte(nil), ev.Raw...)
		events = append(events, ev)
		if len(events) == n {
			break
		}
	}
	return events, nil
}
