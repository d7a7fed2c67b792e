package tuiauth

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/atomicfile"
)

// tempDir returns the physical path of t.TempDir, which is behind a link on macOS.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// onlyFiles fails if dir holds a file that is not in names.
func onlyFiles(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(names, e.Name()) {
			t.Errorf("%s was left in %s", e.Name(), dir)
		}
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestRealHomeChangesOneKeyOnly(t *testing.T) {
	is := is.New(t)
	home, dir := tempDir(t), tempDir(t)
	file := filepath.Join(home, ".claude.json")
	before := "{\n  \"z\": 1e3,\n  \"n\": 12345678901234567890, \"f\":1.0,\n  \"u\": \"\\u00e9\\/\",\n" +
		"  \"projects\": {\n    \"/other\": {\"hasTrustDialogAccepted\": false}\n  },\n  \"a\": null\n}\n"
	writeFile(t, file, before)
	is.NoErr(os.Chmod(file, 0o640))

	report, err := PrepareHome(Home{Dir: home, RealHome: home}, dir)
	is.NoErr(err)
	after := strings.Replace(before, "false}\n", "false},\n    "+quote(dir)+": {\"hasTrustDialogAccepted\": true}\n", 1)
	is.Equal(readFile(t, file), after)
	is.Equal(mode(t, file), fs.FileMode(0o640))
	is.Equal(report.Seeded, []string{file + ": projects[" + quote(dir) + "].hasTrustDialogAccepted"})
	is.Equal(len(report.Created), 0)
	onlyFiles(t, home, ".claude.json")
}

func TestSecondRunWritesNothing(t *testing.T) {
	for _, m := range []Mode{Real, Isolated, Linked} {
		t.Run(m.String(), func(t *testing.T) {
			is := is.New(t)
			real, dir := tempDir(t), tempDir(t)
			h := Home{Dir: filepath.Join(real, "h"), RealHome: real, Mode: m}
			if m == Real {
				h.Dir = real
			}
			_, err := PrepareHome(h, dir)
			is.NoErr(err)
			file := filepath.Join(h.Dir, ".claude.json")
			first, err := os.Stat(file)
			is.NoErr(err)
			homeBefore, err := os.Stat(h.Dir)
			is.NoErr(err)
			report, err := PrepareHome(h, dir)
			is.NoErr(err)
			is.Equal(report, Report{Mode: m})
			second, err := os.Stat(file)
			is.NoErr(err)
			is.True(os.SameFile(first, second))
			is.Equal(first.ModTime(), second.ModTime())
			homeAfter, err := os.Stat(h.Dir)
			is.NoErr(err)
			is.Equal(homeBefore.ModTime(), homeAfter.ModTime()) // no lock or temporary file either
		})
	}
}

func TestIsolatedHome(t *testing.T) {
	is := is.New(t)
	// The real home does not exist, so no file in it can have been opened.
	h := Home{Dir: filepath.Join(tempDir(t), "a", "b"), RealHome: "/nonexistent/home", Mode: Isolated}
	dir := tempDir(t)
	report, err := PrepareHome(h, dir)
	is.NoErr(err)
	is.Equal(readFile(t, filepath.Join(h.Dir, ".claude.json")),
		`{"hasCompletedOnboarding": true,"theme": "dark","projects": {`+quote(dir)+
			`: {"hasTrustDialogAccepted": true,"hasCompletedProjectOnboarding": true,"hasClaudeMdExternalIncludesWarningShown": true,"hasClaudeMdExternalIncludesApproved": false}}}`+"\n")
	is.Equal(mode(t, filepath.Join(h.Dir, ".claude.json")), fs.FileMode(0o600))
	for _, d := range []string{filepath.Dir(h.Dir), h.Dir, filepath.Join(h.Dir, ".claude")} {
		is.Equal(mode(t, d), fs.ModeDir|0o700)
		is.True(slices.Contains(report.Created, d))
	}
	is.Equal(len(report.Seeded), 6)
	onlyFiles(t, h.Dir, ".claude.json", ".claude")
	onlyFiles(t, filepath.Join(h.Dir, ".claude"))
}

// After "claude -p" the file lacks the onboarding mark.
func TestIsolatedHomeMerges(t *testing.T) {
	is := is.New(t)
	h := Home{Dir: tempDir(t), RealHome: tempDir(t), Mode: Isolated}
	dir := tempDir(t)
	file := filepath.Join(h.Dir, ".claude.json")
	writeFile(t, file, `{"userID":"x","theme":"light","hasCompletedOnboarding":false,"projects":null}`)
	_, err := PrepareHome(h, dir)
	is.NoErr(err)
	is.Equal(readFile(t, file), `{"userID":"x","theme":"light","hasCompletedOnboarding":true,"projects":{`+quote(dir)+
		`: {"hasTrustDialogAccepted": true,"hasCompletedProjectOnboarding": true,"hasClaudeMdExternalIncludesWarningShown": true,"hasClaudeMdExternalIncludesApproved": false}}}`)
}

func TestIsolatedHomeLosesItsLogin(t *testing.T) {
	const name = ".claude/.credentials.json"
	is := is.New(t)
	h := Home{Dir: tempDir(t), RealHome: tempDir(t), Mode: Isolated}
	dir := tempDir(t)
	real, own := filepath.Join(h.RealHome, name), filepath.Join(h.Dir, name)
	writeFile(t, real, "real")
	is.NoErr(os.Chmod(real, 0o644))
	realBefore, err := os.Stat(real)
	is.NoErr(err)

	is.NoErr(os.Mkdir(filepath.Dir(own), 0o700))
	is.NoErr(os.Symlink(real, own))
	report, err := PrepareHome(h, dir)
	is.NoErr(err)
	is.Equal(report.Unlinked, []string{own})

	is.NoErr(os.Link(real, own))
	report, err = PrepareHome(h, dir)
	is.NoErr(err)
	is.Equal(report.Unlinked, []string{own})

	for _, suffix := range []string{".aside-1", ".aside-2"} {
		writeFile(t, own, suffix)
		is.NoErr(os.Chmod(own, 0o644))
		report, err = PrepareHome(h, dir)
		is.NoErr(err)
		is.Equal(report.MovedAside, []string{own + suffix})
		is.Equal(mode(t, own+suffix), fs.FileMode(0o600))
		is.True(!exists(own))
	}
	is.Equal(readFile(t, own+".aside-1"), ".aside-1") // the first was not overwritten
	is.Equal(readFile(t, own+".aside-2"), ".aside-2")

	realAfter, err := os.Stat(real)
	is.NoErr(err)
	is.True(os.SameFile(realBefore, realAfter))
	is.Equal(realBefore.ModTime(), realAfter.ModTime())
	is.Equal(realAfter.Mode(), fs.FileMode(0o644))

	is.NoErr(os.Mkdir(own, 0o700))
	_, err = PrepareHome(h, dir)
	is.True(err != nil && strings.Contains(err.Error(), own))
}

func TestIsolatedHomeRefusesTheRealOne(t *testing.T) {
	for name, link := range map[string]func(real, home string) error{
		"home": func(real, home string) error { return os.Symlink(real, home) },
		".claude": func(real, home string) error {
			return errors.Join(os.Mkdir(home, 0o700), os.Symlink(filepath.Join(real, ".claude"), filepath.Join(home, ".claude")))
		},
		".claude.json": func(real, home string) error {
			return errors.Join(os.Mkdir(home, 0o700), os.Symlink(filepath.Join(real, ".claude.json"), filepath.Join(home, ".claude.json")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			real := tempDir(t)
			writeFile(t, filepath.Join(real, ".claude.json"), "{}")
			writeFile(t, filepath.Join(real, ".claude", ".credentials.json"), "real")
			h := Home{Dir: filepath.Join(tempDir(t), "h"), RealHome: real, Mode: Isolated}
			is.NoErr(link(real, h.Dir))
			_, err := PrepareHome(h, real)
			is.True(err != nil)
			is.Equal(readFile(t, filepath.Join(real, ".claude.json")), "{}")
			is.Equal(readFile(t, filepath.Join(real, ".claude", ".credentials.json")), "real")
		})
	}
}

func TestLinkedHome(t *testing.T) {
	const name = ".claude/.credentials.json"
	is := is.New(t)
	h := Home{Dir: tempDir(t), RealHome: tempDir(t), Mode: Linked}
	dir := tempDir(t)
	real, own := filepath.Join(h.RealHome, name), filepath.Join(h.Dir, name)

	writeFile(t, own, "own")
	_, err := PrepareHome(h, dir)
	is.NoErr(err)
	is.Equal(readFile(t, own), "own") // the only login there is stays

	writeFile(t, real, "real")
	report, err := PrepareHome(h, dir)
	is.NoErr(err)
	is.Equal(report.MovedAside, []string{own + ".aside-1"})
	is.Equal(report.Linked, []string{own})
	link, err := os.Readlink(own)
	is.NoErr(err)
	is.Equal(link, real)

	is.NoErr(os.Remove(own))
	is.NoErr(os.Symlink("/elsewhere", own))
	report, err = PrepareHome(h, dir)
	is.NoErr(err)
	is.Equal(report.Unlinked, []string{own})
	is.Equal(readFile(t, own), "real")
}

func TestMalformedFileStaysAsItWas(t *testing.T) {
	for name, content := range map[string]string{
		"empty":              "",
		"torn":               `{"a":1`,
		"array":              `[]`,
		"string":             `"x"`,
		"null":               `null`,
		"mark":               "\xef\xbb\xbf{}",
		"trailing":           `{} x`,
		"two objects":        `{}{}`,
		"comment":            "{} // x",
		"duplicate":          `{"a":1,"a":2}`,
		"escaped duplicate":  `{"a":1,"\u0061":2}`,
		"duplicate projects": `{"projects":{"/":{},"/":{}}}`,
		"projects":           `{"projects":[]}`,
		"utf-16":             "{\x00}\x00",
		"depth":              `{"a":` + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			home := tempDir(t)
			file := filepath.Join(home, ".claude.json")
			writeFile(t, file, content)
			before, err := os.Stat(file)
			is.NoErr(err)
			_, err = PrepareHome(Home{Dir: home, RealHome: home}, home)
			is.True(errors.Is(err, ErrMalformed))
			is.True(strings.Contains(err.Error(), file))
			after, err := os.Stat(file)
			is.NoErr(err)
			is.True(os.SameFile(before, after))
			is.Equal(readFile(t, file), content)
			onlyFiles(t, home, ".claude.json")
		})
	}
}

func TestHugeFile(t *testing.T) {
	is := is.New(t)
	home := tempDir(t)
	file := filepath.Join(home, ".claude.json")
	writeFile(t, file, "{")
	is.NoErr(os.Truncate(file, 1<<40))
	_, err := PrepareHome(Home{Dir: home, RealHome: home}, home)
	is.True(err != nil && strings.Contains(err.Error(), "larger"))
}

func TestFaults(t *testing.T) {
	tmp := tempDir(t)
	plain := filepath.Join(tmp, "plain")
	writeFile(t, plain, "x")
	fifoHome := filepath.Join(tmp, "fifo")
	if err := os.Mkdir(fifoHome, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(fifoHome, ".claude.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(tmp, "loop", ".claude.json")
	if err := errors.Join(os.Mkdir(filepath.Dir(loop), 0o700), os.Symlink(loop, loop)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		home    Home
		workdir string
		want    error
		names   string
	}{
		"real home is missing":     {Home{Dir: tmp + "/no", RealHome: tmp + "/no"}, tmp, fs.ErrNotExist, "/no"},
		"real home is a file":      {Home{Dir: plain, RealHome: plain}, tmp, syscall.ENOTDIR, plain},
		"isolated home is a file":  {Home{Dir: plain, RealHome: tmp, Mode: Isolated}, tmp, errNotDir, plain},
		"isolated below a file":    {Home{Dir: plain + "/h", RealHome: tmp, Mode: Isolated}, tmp, syscall.ENOTDIR, plain},
		"isolated below no home":   {Home{Dir: "/nonexistent/h/.t", RealHome: "/nonexistent/h", Mode: Isolated}, tmp, fs.ErrNotExist, "/nonexistent/h"},
		"fifo":                     {Home{Dir: fifoHome, RealHome: fifoHome}, tmp, nil, "not a regular file"},
		"loop of links":            {Home{Dir: filepath.Dir(loop), RealHome: filepath.Dir(loop)}, tmp, nil, loop},
		"zero home":                {Home{}, tmp, nil, "ResolveHome"},
		"unknown mode":             {Home{Dir: tmp, RealHome: tmp, Mode: 7}, tmp, nil, "Mode(7)"},
		"linked without real home": {Home{Dir: tmp, Mode: Linked}, tmp, nil, "ResolveHome"},
		"workdir is missing":       {Home{Dir: tmp, RealHome: tmp}, tmp + "/nodir", fs.ErrNotExist, "/nodir"},
		"workdir is a file":        {Home{Dir: tmp, RealHome: tmp}, plain, nil, plain},
		"workdir is empty":         {Home{Dir: tmp, RealHome: tmp}, "", nil, "working directory"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			for _, do := range []func(Home, string) (Report, error){CheckHome, PrepareHome} {
				_, err := do(c.home, c.workdir)
				is.True(err != nil)
				if c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				is.True(strings.Contains(err.Error(), c.names))
			}
		})
	}
	if exists(filepath.Join(tmp, ".claude.json")) {
		t.Error("a refused start left a file")
	}
}

func TestLinksAreKept(t *testing.T) {
	for _, content := range []string{"{}", ""} {
		is := is.New(t)
		root, dir := tempDir(t), tempDir(t)
		real := filepath.Join(root, "home")
		dotfiles := filepath.Join(root, "dotfiles")
		target := filepath.Join(dotfiles, "claude.json")
		is.NoErr(errors.Join(os.Mkdir(dotfiles, 0o700), os.Mkdir(real, 0o700)))
		if content != "" { // else the link dangles
			writeFile(t, target, content)
		}
		link := filepath.Join(real, ".claude.json")
		is.NoErr(os.Symlink("../dotfiles/claude.json", link))
		home := filepath.Join(root, "home link")
		is.NoErr(os.Symlink(real, home))
		work := filepath.Join(root, "work link")
		is.NoErr(os.Symlink(dir, work))

		_, err := PrepareHome(Home{Dir: home, RealHome: home}, work)
		is.NoErr(err)
		is.True(mode(t, link)&fs.ModeSymlink != 0)
		is.Equal(trusted(t, target), map[string]bool{dir: true}) // the path that the agent sees, and only that
	}
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"with space", `quo"te'`, `back\slash`, "日本 é", "new\nline", "[a]*?", "-x", "$HOME", "<&>", "{}"} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			root := tempDir(t)
			dir := filepath.Join(root, name)
			is.NoErr(os.Mkdir(dir, 0o755))
			h := Home{Dir: filepath.Join(dir, "home"), RealHome: root, Mode: Isolated}
			for range 2 {
				_, err := PrepareHome(h, dir)
				is.NoErr(err)
			}
			is.Equal(trusted(t, filepath.Join(h.Dir, ".claude.json")), map[string]bool{dir: true})
		})
	}
	is := is.New(t)
	dir := filepath.Join(tempDir(t), "\xff")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return // a system that has UTF-8 names only
	}
	home := tempDir(t)
	_, err := PrepareHome(Home{Dir: home, RealHome: home}, dir)
	is.True(err != nil && strings.Contains(err.Error(), "UTF-8"))
}

// The agent prefers the older place of its configuration if that place is in use.
func TestLegacyConfig(t *testing.T) {
	is := is.New(t)
	home, dir := tempDir(t), tempDir(t)
	legacy := filepath.Join(home, ".claude", ".config.json")
	writeFile(t, legacy, "{}")
	_, err := PrepareHome(Home{Dir: home, RealHome: home}, dir)
	is.NoErr(err)
	is.True(trusted(t, legacy)[dir])
	is.True(!exists(filepath.Join(home, ".claude.json")))
	writeFile(t, filepath.Join(home, ".claude.json"), "{}")
	_, err = PrepareHome(Home{Dir: home, RealHome: home}, dir)
	is.NoErr(err)
	is.True(trusted(t, filepath.Join(home, ".claude.json"))[dir])
}

// After its context has ended, PrepareHomeContext leaves no lock on the home.
func TestPrepareHomeOfACallerThatHasGone(t *testing.T) {
	is := is.New(t)
	home := filepath.Join(tempDir(t), "home")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := PrepareHomeContext(ctx, Home{Dir: home, Mode: Isolated}, tempDir(t))
	is.True(errors.Is(err, context.Canceled))
	unlock, err := atomicfile.Lock(t.Context(), home, 0)
	is.NoErr(err)
	unlock()
}
