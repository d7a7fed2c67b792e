package lease

import (
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// A shellKind is a shell and where its tools are.
type shellKind struct{ shell, path string }

var system = shellKind{shell, toolPath}

// shells are those that this machine has.
func shells(t *testing.T) map[string]shellKind {
	all := map[string]shellKind{"sh": system}
	for _, name := range []string{"dash", "bash", "ksh", "mksh", "yash"} {
		if path, err := exec.LookPath(name); err == nil {
			all[name] = shellKind{path, toolPath}
		}
	}
	if busybox, err := exec.LookPath("busybox"); err == nil {
		dir := t.TempDir()
		for _, tool := range append(tools, "sh") {
			if err := os.Symlink(busybox, filepath.Join(dir, tool)); err != nil {
				t.Fatal(err)
			}
		}
		all["busybox"] = shellKind{filepath.Join(dir, "sh"), dir}
	}
	return all
}

// everything starts a host that has started every program there is.
func everything(t *testing.T, parent string, s shellKind) *helper {
	t.Helper()
	names := slices.Sorted(maps.Keys(programs))
	return play(t, "host", append([]string{parent, s.shell, s.path}, names...)...).ready(t)
}

// nothingLeft waits until no process and no directory is left of a host that
// ended just now.
func nothingLeft(t *testing.T, h *helper, parent string) {
	t.Helper()
	began := time.Now()
	eventually(t, "the programs to end", func() bool { return !slices.ContainsFunc(h.programs, alive) })
	ended := time.Since(began)
	eventually(t, "the directory to go", func() bool { return len(below(t, parent)) == 0 })
	eventually(t, "the guardian to go", func() bool { return !alive(h.guardian) })
	t.Logf("%d programs had ended after %v, the guardian after %v",
		len(h.programs), ended.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	if left := append(left(t), guardians(t, parent)...); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func killAndLook(t *testing.T, h *helper, parent string) {
	t.Helper()
	h.kill()
	nothingLeft(t, h, parent)
}

func TestNothingIsLeftOfAHost(t *testing.T) {
	for how, end := range map[string]func(h *helper){
		"killed":       (*helper).kill,
		"that returns": func(h *helper) { h.tell("return") },
		"that panics":  func(h *helper) { h.tell("panic") },
		"terminated":   func(h *helper) { h.cmd.Process.Signal(syscall.SIGTERM); h.cmd.Wait() },
		"that execs":   func(h *helper) { io.WriteString(h.in, "exec\n") },
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			h := everything(t, parent, system)
			end(h)
			nothingLeft(t, h, parent)
		})
	}
}

func TestAnyShellWillDo(t *testing.T) {
	for name, s := range shells(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			released := play(t, "host", parent, s.shell, s.path).ready(t)
			is.New(t).NoErr(released.tell("release"))
			nothingLeft(t, released, parent)
			killAndLook(t, everything(t, parent, s), parent)

			lost := play(t, "host", parent, s.shell, s.path).ready(t)
			if err := errors.Join(os.RemoveAll(lost.dir), os.MkdirAll(filepath.Join(lost.dir, "t-1", "t"), 0o755)); err != nil {
				t.Fatal(err)
			}
			killAndLook(t, lost, parent)
		})
	}
}

// Of a directory that has the lease's name only the directories of turns go.
func TestTheGuardianKeepsWhatIsNotATurns(t *testing.T) {
	for name, s := range shells(t) {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			t.Parallel()
			h := play(t, "host", t.TempDir(), s.shell, s.path).ready(t)
			is.NoErr(os.RemoveAll(h.dir))
			for _, name := range []string{"t-1/t", "t-2", "t-2-notes", "t-3.old", "other"} {
				is.NoErr(os.MkdirAll(filepath.Join(h.dir, name), 0o755))
			}
			h.kill()
			eventually(t, "the guardian to go", func() bool { return !alive(h.guardian) })
			var kept []string
			for _, name := range must(os.ReadDir(h.dir)) {
				kept = append(kept, name.Name())
			}
			is.Equal(kept, []string{"other", "t-2-notes", "t-3.old"})
		})
	}
}

// Whoever can is given the time to leave in order.
func TestTheGuardianHangsUpFirst(t *testing.T) {
	is := is.New(t)
	t.Parallel()
	parent := t.TempDir()
	h := play(t, "host", parent, shell, toolPath, "stopped polite").ready(t)
	killAndLook(t, h, parent)
	_, err := os.Stat(filepath.Join(h.cmd.Dir, "hung-up"))
	is.NoErr(err)
}

// Neither another lease, nor its programs, nor what only has the ID in its
// arguments is touched.
func TestTheGuardianKeepsToItsLease(t *testing.T) {
	is := is.New(t)
	t.Parallel()
	parent := t.TempDir()
	other, h := everything(t, parent, system), everything(t, parent, system)
	talker := play(t, "idle", h.id, h.dir).ready(t)
	h.kill()
	eventually(t, "the directory to go", func() bool { return len(below(t, parent)) == 1 })
	is.Equal(below(t, parent), []string{other.dir})
	for _, p := range slices.Concat(other.programs, talker.programs, []proc.Identity{other.guardian}) {
		is.True(alive(p))
	}
	is.NoErr(talker.in.Close())
	talker.cmd.Wait()
	killAndLook(t, other, parent)
}

// The host is killed wherever it is: while it takes a lease, starts a program,
// releases a lease.
func TestNothingIsLeftWheneverTheHostIsKilled(t *testing.T) {
	rounds := 20
	if os.Getenv("TUITURN_LONG") != "" {
		rounds = 200
	}
	for i := range rounds {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			h := play(t, "churn", parent)
			time.Sleep(rand.N(150 * time.Millisecond))
			h.kill()
			eventually(t, "the processes to end", func() bool { return len(left(t)) == 0 && len(guardians(t, parent)) == 0 })
			for _, dir := range below(t, parent) {
				// There was no guardian yet. An empty directory is all
				// that it can be.
				t.Log("it left an empty directory")
				if err := os.Remove(dir); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestAKilledGuardianIsReplaced(t *testing.T) {
	is := is.New(t)
	l := hold(t, t.TempDir())
	pid := func() int { return guardianOf(l).Process.Pid }
	for range 3 {
		old := pid()
		is.NoErr(syscall.Kill(old, syscall.SIGKILL))
		eventually(t, "another guardian", func() bool { return pid() != old })
		is.Equal(syscall.Kill(old, 0), syscall.ESRCH) // no zombie
		is.NoErr(syscall.Kill(pid(), 0))
	}
	last := pid()
	is.NoErr(l.Release())
	is.Equal(syscall.Kill(last, 0), syscall.ESRCH)
}

func TestReleaseWhileTheGuardianIsReplaced(t *testing.T) {
	is := is.New(t)
	for i := range 10 {
		parent := t.TempDir()
		l := hold(t, parent)
		is.NoErr(syscall.Kill(guardianOf(l).Process.Pid, syscall.SIGKILL))
		time.Sleep(time.Duration(i) * 3 * time.Millisecond)
		is.NoErr(l.Release())
		is.Equal(len(guardians(t, parent)), 0)
	}
}

func TestSignalsDontReachTheGuardian(t *testing.T) {
	is := is.New(t)
	l := hold(t, t.TempDir())
	cmd := guardianOf(l)
	pgid, err := syscall.Getpgid(cmd.Process.Pid)
	is.NoErr(err)
	is.Equal(pgid, cmd.Process.Pid) // nothing that is sent to our group
	settled(t, cmd.Process.Pid)
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT} {
		is.NoErr(cmd.Process.Signal(sig))
	}
	is.NoErr(l.Release())
	is.True(cmd.ProcessState.Success()) // it went because it was told to, and it was the first
}

func TestAStoppedGuardianIsKilled(t *testing.T) {
	is := is.New(t)
	t.Parallel()
	l := hold(t, t.TempDir())
	is.NoErr(guardianOf(l).Process.Signal(syscall.SIGSTOP))
	is.NoErr(l.Release())
	is.Equal(l.guardian, nil)
}

// What a cleaner of temporary files has taken away, and somebody else has made
// anew, is not the lease's any more. The programs still are.
func TestTheGuardianSparesAnotherDirectory(t *testing.T) {
	is := is.New(t)
	t.Parallel()
	parent := t.TempDir()
	h := everything(t, parent, system)
	is.NoErr(os.Rename(h.dir, h.dir+"-moved")) // its inode must not be used again
	is.NoErr(os.Mkdir(h.dir, 0o700))
	h.kill()
	eventually(t, "the programs and the guardian to end", func() bool {
		return !slices.ContainsFunc(append(h.programs, h.guardian), alive)
	})
	is.Equal(below(t, parent), []string{h.dir, h.dir + "-moved"})
}

func TestTheGuardianLeavesSharedServersToTheSweep(t *testing.T) {
	is := is.New(t)
	t.Parallel()
	parent := t.TempDir()
	h := play(t, "host", parent, shell, toolPath, "plain", "shared").ready(t)
	h.kill()
	eventually(t, "the programs and the guardian to end", func() bool {
		return !slices.ContainsFunc(append(h.programs, h.guardian), alive)
	})
	entries, err := List(parent)
	is.NoErr(err)
	is.Equal(len(entries), 1)
	is.Equal(entries[0].State, Dead)
	is.Equal(entries[0].Servers, []SharedServer{{"/s", "/tmux", "p-"}})
}

func TestNewWithoutAShell(t *testing.T) {
	is := is.New(t)
	defer func(s, p string) { shell, toolPath = s, p }(shell, toolPath)
	parent := t.TempDir()
	shell = filepath.Join(parent, "sh")
	_, err := New(t.Context(), parent)
	is.True(err != nil && strings.Contains(err.Error(), "starting its guardian"))
	is.Equal(len(below(t, parent)), 0)

	shell, toolPath = "/bin/sh", parent
	_, err = New(t.Context(), parent)
	is.True(err != nil && strings.Contains(err.Error(), "install it"))
	is.Equal(len(below(t, parent)), 0)
}
