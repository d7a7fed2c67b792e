package tuiauth

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

// otherFilesystem returns a directory on another file system than t.TempDir's.
func otherFilesystem(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("no second file system is known to be writable here")
	}
	dir, err := os.MkdirTemp("/dev/shm", "tuiauth-")
	if err != nil {
		t.Skipf("no second file system: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var here, there syscall.Stat_t
	if err := errors.Join(syscall.Stat(tempDir(t), &here), syscall.Stat(dir, &there)); err != nil {
		t.Fatal(err)
	}
	if here.Dev == there.Dev {
		t.Skip("/dev/shm is on the same file system as the temporary directory")
	}
	return dir
}

func TestHomeOnAnotherFilesystem(t *testing.T) {
	is := is.New(t)
	h := Home{Dir: filepath.Join(otherFilesystem(t), "home"), RealHome: tempDir(t), Mode: Isolated}
	dir := tempDir(t)
	writeFile(t, filepath.Join(h.Dir, ".claude", ".credentials.json"), "dummy")
	report, err := PrepareHome(h, dir)
	is.NoErr(err)
	is.Equal(len(report.MovedAside), 1)
	is.True(trusted(t, filepath.Join(h.Dir, ".claude.json"))[dir])

	// The configuration is a link to the other file system.
	real := tempDir(t)
	target := filepath.Join(filepath.Dir(h.Dir), "claude.json")
	writeFile(t, target, `{"n":1e3}`)
	is.NoErr(os.Symlink(target, filepath.Join(real, ".claude.json")))
	_, err = PrepareHome(Home{Dir: real, RealHome: real}, dir)
	is.NoErr(err)
	is.True(trusted(t, target)[dir] && strings.Contains(readFile(t, target), `"n":1e3`))
}

func TestRealHomeIsALink(t *testing.T) {
	is := is.New(t)
	root, dir := tempDir(t), tempDir(t)
	real, link := filepath.Join(root, "vol 1", "änn"), filepath.Join(root, "ann")
	is.NoErr(os.MkdirAll(real, 0o700))
	is.NoErr(os.Symlink(real, link))
	h, err := ResolveHome(HomeConfig{RealHome: link, EnvToken: true})
	is.NoErr(err)
	_, err = PrepareHome(h, dir)
	is.NoErr(err)
	is.True(trusted(t, filepath.Join(real, ".tuiturn", "home", ".claude.json"))[dir])
	_, err = Audit(h, dir, []string{"CLAUDE_CODE_OAUTH_TOKEN=" + dummy})
	is.NoErr(err)

	// The real home under its other name is still the real home.
	_, err = PrepareHome(Home{Dir: real, RealHome: link, Mode: Isolated}, dir)
	is.True(err != nil && strings.Contains(err.Error(), "is the real home"))
	writeFile(t, filepath.Join(real, ".claude", "settings.json"), "{}")
	is.NoErr(os.Symlink(filepath.Join(real, ".claude", "settings.json"), filepath.Join(h.Dir, ".claude", "settings.json")))
	_, err = PrepareHome(h, dir)
	is.True(err != nil && strings.Contains(err.Error(), "link into the real home"))
}

// unprivileged prepares the home as a user whom permissions restrict. They do not
// restrict root, so root runs a copy of the test binary as nobody.
func unprivileged(t *testing.T, mode Mode, home, real, workdir string) error {
	t.Helper()
	cmd := play(t, "prepare", mode.String(), home, real, workdir)
	cmd.Dir = "/"
	if os.Geteuid() == 0 {
		dir, err := os.MkdirTemp("/tmp", "tuiauth-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		self, err := os.Open(cmd.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer self.Close()
		cmd.Path = filepath.Join(dir, "tuiauth.test")
		binary, err := os.OpenFile(cmd.Path, os.O_CREATE|os.O_WRONLY, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(binary, self)
		if err := errors.Join(err, binary.Close(), os.Chmod(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 1 {
		return errors.New(string(bytes.TrimSpace(out)))
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return nil
}

const nobody = 65534

// sharedDir is a directory that the user of unprivileged owns and can reach.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "tuiauth-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Geteuid() == 0 {
		err = os.Chown(dir, nobody, nobody)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir, err = filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReadOnlyRealHome(t *testing.T) {
	is := is.New(t)
	real, own, dir := sharedDir(t), sharedDir(t), sharedDir(t)
	config := filepath.Join(real, ".claude.json")
	is.NoErr(os.WriteFile(config, []byte(`{"projects":{`+quote(dir)+`:{"hasTrustDialogAccepted":true}}}`), 0o444))
	is.NoErr(os.Chmod(real, 0o555))
	t.Cleanup(func() { os.Chmod(real, 0o755) })
	before, err := os.Stat(real)
	is.NoErr(err)

	is.NoErr(unprivileged(t, Real, real, real, dir))                           // what is needed is there already
	is.NoErr(unprivileged(t, Isolated, filepath.Join(own, "home"), real, dir)) // a home elsewhere
	err = unprivileged(t, Real, real, real, own)                               // trust can't be recorded
	is.True(err != nil && strings.Contains(err.Error(), "permission denied") && strings.Contains(err.Error(), real))
	err = unprivileged(t, Isolated, filepath.Join(real, ".tuiturn", "home"), real, dir)
	is.True(err != nil && strings.Contains(err.Error(), "configure another home"))

	after, err := os.Stat(real)
	is.NoErr(err)
	is.Equal(before.ModTime(), after.ModTime())
	onlyFiles(t, real, ".claude.json")
}

func TestUnreadableConfig(t *testing.T) {
	is := is.New(t)
	home := sharedDir(t)
	file := filepath.Join(home, ".claude.json")
	is.NoErr(os.WriteFile(file, []byte("{}"), 0o600))
	if os.Geteuid() == 0 {
		is.NoErr(os.Chown(file, nobody, nobody))
	}
	is.NoErr(os.Chmod(file, 0))
	for _, mode := range []Mode{Real, Isolated} {
		err := unprivileged(t, mode, home, "/nonexistent", "/")
		is.True(err != nil && strings.Contains(err.Error(), "permission denied") && strings.Contains(err.Error(), file))
	}
	is.NoErr(os.Chmod(file, 0o600))
	is.Equal(readFile(t, file), "{}")
}

// Root can prepare every home, and so can the owner of a home.
func TestOwnerOfTheHome(t *testing.T) {
	is := is.New(t)
	home, dir := sharedDir(t), sharedDir(t)
	is.NoErr(unprivileged(t, Isolated, filepath.Join(home, "h"), home, dir))
	file := filepath.Join(home, "h", ".claude.json")
	is.True(trusted(t, file)[dir])
	_, err := PrepareHome(Home{Dir: filepath.Join(home, "h"), RealHome: home, Mode: Isolated}, home)
	is.NoErr(err)
	is.Equal(len(trusted(t, file)), 2)
	is.NoErr(unprivileged(t, Isolated, filepath.Join(home, "h"), home, "/")) // after root wrote to it too
	is.Equal(len(trusted(t, file)), 3)
}
