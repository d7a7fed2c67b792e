package tuiauth

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
)

// CheckHome reports the changes that PrepareHome then makes, except the new names of
// files that are moved aside. After that nothing is left to do.
func TestCheckHomeTellsWhatPrepareHomeDoes(t *testing.T) {
	for name, c := range map[string]struct {
		mode Mode
		make func(t *testing.T, h Home)
	}{
		"no home":        {Isolated, nil},
		"no link":        {Linked, nil},
		"the real one":   {Real, func(t *testing.T, h Home) { writeFile(t, filepath.Join(h.Dir, ".claude.json"), `{"a":1e3}`) }},
		"half of a home": {Isolated, func(t *testing.T, h Home) { writeFile(t, filepath.Join(h.Dir, ".claude.json"), `{}`) }},
		"a login":        {Isolated, func(t *testing.T, h Home) { writeFile(t, filepath.Join(h.Dir, ".claude", ".credentials.json"), `{}`) }},
		"a link to one": {Isolated, func(t *testing.T, h Home) {
			writeFile(t, filepath.Join(h.Dir, ".claude", "x"), "")
			if err := os.Symlink("/nonexistent", filepath.Join(h.Dir, ".claude", ".credentials.json")); err != nil {
				t.Fatal(err)
			}
		}},
		"a login of its own": {Linked, func(t *testing.T, h Home) {
			writeFile(t, filepath.Join(h.Dir, ".claude", ".credentials.json"), `{}`)
			writeFile(t, filepath.Join(h.RealHome, ".claude", ".credentials.json"), `{}`)
		}},
		"the older file": {Isolated, func(t *testing.T, h Home) {
			writeFile(t, filepath.Join(h.Dir, ".claude", ".config.json"), `{"theme":"light"}`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			root := tempDir(t)
			work := filepath.Join(root, "work")
			is.NoErr(os.Mkdir(work, 0o700))
			h := Home{Dir: filepath.Join(root, "above", "home"), RealHome: filepath.Join(root, "real"), Mode: c.mode}
			is.NoErr(os.Mkdir(h.RealHome, 0o700))
			if c.mode == Real {
				h.Dir = h.RealHome
			}
			if c.make != nil {
				c.make(t, h)
			}
			before := tree(t, root)
			said, err := CheckHome(h, work)
			is.NoErr(err)
			is.Equal(tree(t, root), before) // nothing was changed
			did, err := PrepareHome(h, work)
			is.NoErr(err)
			for i, aside := range did.MovedAside {
				did.MovedAside[i] = aside[:len(aside)-len(".aside-1")]
			}
			is.Equal(said, did)
			said, err = CheckHome(h, work)
			is.NoErr(err)
			is.Equal(said, Report{Mode: c.mode})
		})
	}
}

func TestCheckHomeRefusesWhatPrepareHomeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, h Home)
		want error
	}{
		"a setting that replaces the token": {func(t *testing.T, h Home) {
			writeFile(t, filepath.Join(h.Dir, ".claude", "settings.json"), `{"apiKeyHelper":"x"}`)
		}, ErrCredential},
		"no JSON": {func(t *testing.T, h Home) {
			writeFile(t, filepath.Join(h.Dir, ".claude.json"), `{"a":`)
		}, ErrMalformed},
		"a file in the way": {func(t *testing.T, h Home) { writeFile(t, h.Dir, "") }, errNotDir},
		"no working directory": {func(t *testing.T, h Home) {
			if err := os.Remove(filepath.Join(filepath.Dir(h.Dir), "work")); err != nil {
				t.Fatal(err)
			}
		}, os.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			root := tempDir(t)
			work := filepath.Join(root, "work")
			is.NoErr(os.Mkdir(work, 0o700))
			h := Home{Dir: filepath.Join(root, "home"), Mode: Isolated}
			c.make(t, h)
			_, err := CheckHome(h, work)
			is.True(errors.Is(err, c.want))
			_, err = PrepareHome(h, work)
			is.True(errors.Is(err, c.want))
		})
	}
}

// tree lists everything below dir: names, kinds and contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		all[path] = d.Type().String()
		if d.Type().IsRegular() {
			all[path] += readFile(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
