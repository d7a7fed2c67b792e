package tuiturn

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// beLimited runs one turn within limits, and says how it and the Close ended.
func beLimited(ctx context.Context, r *Runner, c hostConfig) {
	limit := func(what int, n uint64) {
		if n > 0 {
			if err := unix.Setrlimit(what, &unix.Rlimit{Cur: n, Max: n}); err != nil {
				panic(err)
			}
		}
	}
	// Whoever runs the tests may have left a descriptor open, above the limit.
	for fd := 3; fd < 1024; fd++ {
		unix.CloseOnExec(fd)
	}
	limit(unix.RLIMIT_NOFILE, c.Files)
	limit(unix.RLIMIT_NPROC, c.Processes)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	res, err := r.Turn(ctx, Request{Prompt: "hello", WorkDir: filepath.Join(c.Root, "work")})
	fmt.Printf("turn: %q %v\n", res.Text, err)
	fmt.Printf("close: %v\n", r.Close())
}

// limited runs a host within limits, by this program or a copy of it, and checks
// that it says an error or answers, and that nothing is left of it.
func limited(t *testing.T, c hostConfig, self string, attr *syscall.SysProcAttr) (said string) {
	t.Helper()
	is := is.New(t)
	config, err := json.Marshal(c)
	is.NoErr(err)
	temp := filepath.Join(c.Root, "t")
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	host := exec.CommandContext(ctx, self)
	host.Env = []string{hostVar + "=" + string(config), "PATH=/usr/local/bin:/usr/bin:/bin", "TMPDIR=" + temp, "HOME=" + c.Root,
		"GORACE=atexit_sleep_ms=0"}
	host.SysProcAttr = attr
	host.WaitDelay = time.Second
	out, err := host.CombinedOutput()
	// Go's runtime gives up by itself when it gets no thread.
	crashed := regexp.MustCompile(`failed to create new OS thread|pthread_create failed`)
	if !strings.Contains(string(out), "close: ") && !crashed.Match(out) {
		t.Errorf("the host did not come to an end: %v: %s", err, out)
	}
	pid := host.Process.Pid
	if !eventually(func() bool {
		return len(carrying(fmt.Sprintf("@%d.", pid)))+len(carrying(fmt.Sprintf("TUITURN_SERVER=%d.", pid))) == 0
	}) {
		t.Errorf("processes are left of a host that said %s", out)
	}
	if !eventually(func() bool { return len(occupied(temp)) == 0 }) {
		t.Errorf("%v is left of a host that said %s", occupied(temp), out)
	}
	return string(out)
}

// limitedRoot makes the directories of a host that may be somebody else.
func limitedRoot(t *testing.T, uid int) string {
	t.Helper()
	is := is.New(t)
	root, err := os.MkdirTemp("", "tt")
	is.NoErr(err)
	t.Cleanup(func() { os.RemoveAll(root) })
	for _, dir := range []string{"", "t", "work"} {
		is.NoErr(os.MkdirAll(filepath.Join(root, dir), 0o700))
		if uid > 0 {
			is.NoErr(os.Chown(filepath.Join(root, dir), uid, uid))
		}
	}
	return root
}

// TestNoDescriptorsLeft: whichever open fails, the turn fails with an error and
// leaves nothing.
func TestNoDescriptorsLeft(t *testing.T) {
	self, err := os.Executable()
	is.New(t).NoErr(err)
	for _, kind := range []TerminalKind{Tmux, Pty} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			if kind == Tmux {
				tmuxtest.Require(t)
			}
			failed, answered, last := 0, 0, ""
			for n := uint64(6); n <= 128 && answered < 2; n += 2 + n/10 {
				c := hostConfig{Root: limitedRoot(t, 0), Terminal: kind, Files: n}
				last = limited(t, c, self, nil)
				if strings.Contains(last, `"You said: hello"`) {
					answered++
				} else {
					failed++
				}
			}
			if failed == 0 || answered == 0 {
				t.Errorf("%d turns failed and %d answered: want some of each; the last host said %s", failed, answered, last)
			}
		})
	}
}

// TestForkFails is the same for processes.
func TestForkFails(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("how many processes this user has is not known: run it as root")
	}
	const nobody = 65534
	is := is.New(t)
	// Others may not look into the directory of the test's program.
	dir := limitedRoot(t, nobody)
	self := filepath.Join(dir, "self")
	is.NoErr(copyFile(self, "/proc/self/exe"))
	for _, kind := range []TerminalKind{Tmux, Pty} {
		t.Run(string(kind), func(t *testing.T) {
			if kind == Tmux {
				tmuxtest.Require(t)
			}
			failed, answered, last := 0, 0, ""
			for n := uint64(6); n <= 120 && answered < 1; n += 6 { // threads count
				c := hostConfig{Root: limitedRoot(t, nobody), Terminal: kind, Processes: n, Script: fakeagent.Script{}}
				attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
				last = limited(t, c, self, attr)
				if strings.Contains(last, `"You said: hello"`) {
					answered++
				} else {
					failed++
				}
			}
			if failed == 0 || answered == 0 {
				t.Errorf("%d turns failed and %d answered: want some of each; the last host said %s", failed, answered, last)
			}
		})
	}
}

func copyFile(to, from string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}

// TestNoSpaceLeft: neither a byte nor a file more can be had in the temporary
// directory.
func TestNoSpaceLeft(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	for _, kind := range []TerminalKind{Tmux, Pty} {
		t.Run(string(kind), func(t *testing.T) {
			if kind == Tmux {
				tmuxtest.Require(t)
			}
			failed, answered, last := 0, 0, ""
			for inodes := 1; inodes <= 21 && answered == 0; inodes += 2 {
				is := is.New(t)
				s := newStage(t, kind, fakeagent.Script{})
				if err := unix.Mount("tuiturn-test", s.TempDir, "tmpfs", 0, fmt.Sprintf("size=64k,nr_inodes=%d,mode=700", inodes)); err != nil {
					t.Skip("mounting is not allowed here: ", err)
				}
				_, err := s.turn(t.Context(), Request{Prompt: "hello"})
				last = fmt.Sprint(err)
				is.NoErr(s.Close())
				is.Equal(len(occupied(s.TempDir)), 0)
				is.NoErr(unix.Unmount(s.TempDir, 0))
				if err == nil {
					answered++
				} else {
					failed++
				}
			}
			if failed == 0 || answered == 0 {
				t.Errorf("%d turns failed and %d answered: want some of each; the last host said %s", failed, answered, last)
			}
		})
	}
}
