package drive

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/tuiauth"
)

// What is above the home and the turn's directory is not written to.
func TestWritesInItsOwnDirectoriesOnly(t *testing.T) {
	is := is.New(t)
	long := time.Unix(1, 0)
	above := t.TempDir()
	touched := func() bool {
		info, err := os.Stat(above)
		is.NoErr(err)
		return !info.ModTime().Equal(long)
	}
	is.NoErr(os.Chtimes(above, long, long))
	p := &Pane{Config: Config{Host: &Host{Home: tuiauth.Home{Dir: filepath.Join(above, "home") + "/"}}}, dir: filepath.Join(above, "t-1")}
	is.Equal(p.full(ErrNotAccepted), ErrNotAccepted)
	is.True(!touched())

	// A cleaner took the directory; its name may be anybody's.
	p.Home.Dir, p.dir = t.TempDir(), above
	err := Cleaned(above)
	is.Equal(p.full(err), err)
	is.True(!touched())

	is.Equal(p.full(ErrNotAccepted), ErrNotAccepted)
	is.True(touched())
	names, err := os.ReadDir(above)
	is.NoErr(err)
	is.Equal(len(names), 0) // and nothing stays
}
