package reaper_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/reaper"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// zombies skips the test where the process table can't be read.
func zombies(t *testing.T, parent int) []reaper.Zombie {
	t.Helper()
	found, err := reaper.Zombies(parent)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestZombies(t *testing.T) {
	is := is.New(t)
	find := func(parent, pid int) (found reaper.Zombie, ok bool) {
		for _, z := range zombies(t, parent) {
			if z.Pid == pid {
				return z, true
			}
		}
		return reaper.Zombie{}, false
	}
	cmd := exec.Command("/bin/sh", "-c", "read x; exit 0")
	in, err := cmd.StdinPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	_, ok := find(os.Getpid(), cmd.Process.Pid)
	is.True(!ok) // it lives
	in.Close()
	eventually(t, "the zombie", func() bool { _, ok := find(os.Getpid(), cmd.Process.Pid); return ok })
	z, ok := find(0, cmd.Process.Pid)
	is.True(ok) // it is one of all
	is.Equal(z.Parent, os.Getpid())
	is.Equal(z.Name, "sh")
	is.True(strings.HasPrefix(filepath.Base(os.Args[0]), z.ParentName)) // it may be cut
	_, ok = find(1, cmd.Process.Pid)
	is.True(!ok) // it is not another's
	data, err := json.Marshal(z)
	is.NoErr(err)
	is.Equal(string(data), fmt.Sprintf(`{"pid":%d,"name":"sh","parent":%d,"parentName":%q}`, z.Pid, z.Parent, z.ParentName))

	cmd.Wait()
	_, ok = find(0, cmd.Process.Pid)
	is.True(!ok) // it was waited for
}

// A server that is stopped waits for none of its panes, as one before 3.6 that
// was built with libutempter misses some. When it goes on it is reminded.
func TestZombiesOfAServer(t *testing.T) {
	t.Parallel()
	eachTmux(t, func(t *testing.T, path string) {
		is := is.New(t)
		const panes = 100
		s := newServer(t, path)
		pid := sessions(t, s, "stays")
		is.Equal(len(zombies(t, pid)), 0)
		gate := filepath.Join(filepath.Dir(s.Socket), "gate")
		is.NoErr(syscall.Mkfifo(gate, 0o600))
		for i := range panes {
			tmux(t, s, "new-session", "-d", "-s", fmt.Sprint("turn-", i), "/bin/sh", "-c", "read x <"+gate)
		}
		is.NoErr(syscall.Kill(pid, syscall.SIGSTOP))
		defer syscall.Kill(pid, syscall.SIGCONT)
		eventually(t, "the panes to end", func() bool {
			if w, err := os.OpenFile(gate, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				w.Close() // ends those that have come to the gate
			}
			return len(zombies(t, pid)) == panes
		})
		for _, z := range zombies(t, pid) {
			is.Equal(z.Parent, pid)
			is.True(strings.HasPrefix(z.ParentName, "tmux"))
		}
		is.NoErr(syscall.Kill(pid, syscall.SIGCONT))
		eventually(t, "the server to reap them", func() bool {
			is.NoErr(syscall.Kill(pid, syscall.SIGCHLD))
			return len(zombies(t, pid)) == 0
		})
	})
}

// A server that only we use can also be ended: then its zombies are process 1's.
func TestEndingAServerEndsItsZombies(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newServer(t, tmuxtest.Require(t))
	pid := sessions(t, s, "turn-stays")
	for i := range 20 {
		tmux(t, s, "new-session", "-d", "-s", fmt.Sprint("turn-", i), "/bin/sh", "-c", "exit 0")
	}
	killed, err := reaper.KillServerIfOnlyOurs(t.Context(), s.Tmux, "turn-")
	is.NoErr(err)
	is.True(killed)
	is.Equal(len(zombies(t, pid)), 0)
}
