package tuiturn

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// A host dies and its guardian with it, so that stubborn agents go on. The next
// host ends them before its first agent starts.
func TestTheNextStartEndsWhatTheLastOneLeft(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the processes are counted in /proc")
	}
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, fakeagent.Script{})
		owner := orphan(t, s)
		left := carrying(owner)
		is.True(len(left) > 0)
		_, err := s.turn(t.Context(), Request{Prompt: "hello", Trace: &Trace{Booting: func() {
			if pids := carrying(owner); len(pids) > 0 {
				t.Errorf("of %v are left %v", left, pids)
			}
			if dirs, _ := os.ReadDir(s.TempDir); len(dirs) != 1 {
				t.Errorf("TempDir holds %v", dirs)
			}
		}}})
		is.NoErr(err)
	})
}

// orphan leaves the agents of a dead host in the stage's TempDir and returns what
// their environment holds.
func orphan(t *testing.T, s *stage) (owner string) {
	is := is.New(t)
	config, err := json.Marshal(hostConfig{Root: filepath.Dir(s.TempDir), Terminal: s.Terminal, Script: fakeagent.Script{
		IgnoreHangup: true, IgnoreTerm: true, Turns: []fakeagent.Turn{{Hang: true}},
		Children: []fakeagent.Child{fakeagent.ChildSession},
	}})
	is.NoErr(err)
	self, err := os.Executable()
	is.NoErr(err)
	host := exec.Command(self)
	host.Env = []string{hostVar + "=" + string(config), "PATH=/usr/local/bin:/usr/bin:/bin", "TMPDIR=" + s.TempDir}
	out, err := host.StdoutPipe()
	is.NoErr(err)
	is.NoErr(host.Start())
	_, err = out.Read(make([]byte, 8))
	is.NoErr(err)

	// Stopped, or it would start another guardian.
	is.NoErr(host.Process.Signal(syscall.SIGSTOP))
	children, err := proc.Children(host.Process.Pid)
	is.NoErr(err)
	for _, child := range children {
		if child.Name == "tuiturn-guard" {
			child.Signal(syscall.SIGKILL)
		}
	}
	is.NoErr(host.Process.Kill())
	host.Wait()
	return fmt.Sprintf("@%d.", host.Process.Pid)
}

func TestARunnerOnASharedServer(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	foreign := newForeignSession(t)
	s := newStage(t, Auto, fakeagent.Script{})
	s.TmuxSocket = foreign.server.Socket
	res, err := s.turn(t.Context(), Request{Prompt: "hello", Trace: &Trace{Ready: func() {
		if names, err := s.place.Tmux.Sessions(t.Context()); err != nil || len(names) != 1 {
			t.Errorf("sessions %q, %v", names, err)
		}
	}}})
	is.NoErr(err)
	is.Equal(res.Text, "You said: hello")
	is.Equal(res.Terminal, Tmux)
	foreign.check(t)

	s.Terminal = Pty
	_, err = s.turn(t.Context(), Request{Prompt: "hello"})
	is.True(err != nil && strings.Contains(err.Error(), "set one of them"))
}

// A cleaner takes the directory away while a turn runs: the next turn has another,
// and the first goes on.
func TestACleanerEndsNoTurn(t *testing.T) {
	tmuxtest.Require(t)
	t.Parallel()
	is := is.New(t)
	foreign := newForeignSession(t)
	s := newStage(t, Tmux, fakeagent.Script{})
	s.TmuxSocket = foreign.server.Socket
	res, err := s.turn(t.Context(), Request{Prompt: "hello", Trace: &Trace{Submitted: func() {
		is.NoErr(os.RemoveAll(s.place.Lease.Dir()))
		res, err := s.turn(t.Context(), Request{Prompt: "world"})
		is.NoErr(err)
		is.Equal(res.Text, "You said: world")
	}}})
	is.NoErr(err)
	is.Equal(res.Text, "You said: hello")
	is.NoErr(s.Close())
	foreign.check(t)
}

// A sweep is for idle times; Close ends the sweeper whatever it does.
func TestTheRunnerSweepsAgain(t *testing.T) {
	tmuxtest.Require(t)
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Tmux, fakeagent.Script{})
	s.SweepEvery = 50 * time.Millisecond
	_, err := s.turn(t.Context(), Request{Prompt: "hello"})
	is.NoErr(err)
	owner := orphan(t, s)
	if !eventually(func() bool { return len(carrying(owner)) == 0 }) {
		t.Errorf("left: %v", carrying(owner))
	}
	is.True(eventually(func() bool { dirs, _ := os.ReadDir(s.TempDir); return len(dirs) == 1 }))
}
