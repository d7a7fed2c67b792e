package fakeagent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// children reads a child log and makes sure that what it names ends with the
// test.
func children(t *testing.T, log string) map[Child]int {
	t.Helper()
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	pids := map[Child]int{}
	for l := range strings.Lines(string(b)) {
		var kind Child
		var pid int
		if _, err := fmt.Sscan(l, &kind, &pid); err != nil {
			t.Fatal(err)
		}
		pids[kind] = pid
		t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	}
	return pids
}

func TestChildren(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	log := filepath.Join(t.TempDir(), "log")
	all := []Child{ChildPlain, ChildStubborn, ChildSession, ChildBackground, ChildBare}
	r := start(t, Script{Children: all[:1], ChildLog: log, Turns: []Turn{{Children: all[1:]}}}, setup{}).ready()
	r.submit("x")
	r.over(1)
	pids := children(t, log)
	is.Equal(len(pids), len(all))

	agentGroup, err := syscall.Getpgid(r.cmd.Process.Pid)
	is.NoErr(err)
	for kind, pid := range pids {
		group, err := syscall.Getpgid(pid)
		is.NoErr(err) // it lives
		is.Equal(group == agentGroup, kind == ChildPlain || kind == ChildStubborn)
		if kind == ChildPlain {
			continue
		}
		is.NoErr(syscall.Kill(pid, syscall.SIGHUP))
		is.NoErr(syscall.Kill(pid, syscall.SIGTERM))
	}
	r.pty.Close()
	is.Equal(r.wait().ExitStatus(), 129)
	for kind, pid := range pids {
		if kind != ChildPlain {
			is.NoErr(syscall.Kill(pid, 0)) // outlives the agent, the hang-up and TERM
		}
	}
}

func TestStubbornAgent(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{IgnoreHangup: true, IgnoreTerm: true}, setup{}).ready()
	is.NoErr(r.cmd.Process.Signal(syscall.SIGHUP))
	is.NoErr(r.cmd.Process.Signal(syscall.SIGTERM))
	r.submit("still here")
	r.over(1)
	r.pty.Close()
	is.NoErr(r.cmd.Process.Signal(syscall.SIGHUP))
	select {
	case <-r.ended:
		t.Fatal("it ended with its terminal")
	case <-time.After(100 * time.Millisecond):
	}
}

func TestSlowShutdownAndLitter(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	const delay = 200 * time.Millisecond
	r := start(t, Script{ShutdownDelay: delay, Litter: true}, setup{}).ready()
	asked := time.Now()
	is.NoErr(r.cmd.Process.Signal(syscall.SIGTERM))
	is.Equal(r.wait().ExitStatus(), 143)
	is.True(time.Since(asked) >= delay)
	left, err := filepath.Glob(filepath.Join(r.tmp, "claude-litter-*"))
	is.NoErr(err)
	is.Equal(len(left), 1)
}
