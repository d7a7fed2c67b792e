package tuiturn

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// hostVar makes this program a host that runs turns until it is killed. Its
// value is a hostConfig.
const hostVar = "TUITURN_TEST_HOST"

type hostConfig struct {
	Root     string
	Terminal TerminalKind
	Script   fakeagent.Script

	// Files and Processes, if not zero, are limits on the host, which then runs
	// a single turn and says how it ended.
	Files, Processes uint64
}

// beHost runs turns, two at a time, and says when the first agent is ready.
func beHost(config string) {
	var c hostConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		panic(err)
	}
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	r := &Runner{
		Agent:    Claude{Path: self},
		Home:     tuiauth.Home{Dir: filepath.Join(c.Root, "home"), Mode: tuiauth.Isolated},
		Token:    dummyToken,
		Terminal: c.Terminal,
		TempDir:  filepath.Join(c.Root, "t"),
		Env:      append(c.Script.Environ(), "GORACE=atexit_sleep_ms=0"),
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // should the test die
	defer cancel()
	if c.Files+c.Processes > 0 {
		beLimited(ctx, r, c)
		return
	}
	said := sync.OnceFunc(func() { fmt.Println("ready") })
	var turns sync.WaitGroup
	for range 2 {
		turns.Go(func() {
			for ctx.Err() == nil {
				r.Turn(ctx, Request{Prompt: "hello", WorkDir: filepath.Join(c.Root, "work"), Trace: &Trace{Ready: said}})
			}
		})
	}
	turns.Wait()
}

// TestHostIsKilled kills the host at a random moment of its turns: its guardian
// ends the agents, stubborn ones and their detached children included, and the
// tmux server, within 2 s, and removes the directory. 6 times on each terminal,
// or 100 (200 in all) with TUITURN_LONG.
func TestHostIsKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the processes are counted in /proc")
	}
	t.Parallel()
	rounds := 6
	if os.Getenv("TUITURN_LONG") != "" {
		rounds = 100
	}
	for _, kind := range []TerminalKind{Tmux, Pty} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			if kind == Tmux {
				tmuxtest.Require(t)
			}
			var took []time.Duration
			for n := range rounds {
				took = append(took, killHost(t, kind, n))
			}
			slices.Sort(took)
			t.Logf("all was gone after %v in the median, %v at most", took[len(took)/2], took[len(took)-1])
		})
	}
}

// killHost is one round, and returns how long the host's processes outlived it.
func killHost(t *testing.T, kind TerminalKind, n int) time.Duration {
	is := is.New(t)
	root, err := os.MkdirTemp("", "tt")
	is.NoErr(err)
	defer os.RemoveAll(root)
	temp := filepath.Join(root, "t")
	for _, dir := range []string{temp, filepath.Join(root, "work")} {
		is.NoErr(os.Mkdir(dir, 0o700))
	}
	script := fakeagent.Script{
		IgnoreHangup: true, IgnoreTerm: true,
		Children: []fakeagent.Child{fakeagent.ChildStubborn, fakeagent.ChildSession, fakeagent.ChildBackground},
	}
	if n%2 == 0 { // ends and starts often
		script = fakeagent.Script{}
	}
	config, err := json.Marshal(hostConfig{Root: root, Terminal: kind, Script: script})
	is.NoErr(err)
	self, err := os.Executable()
	is.NoErr(err)
	host := exec.Command(self)
	host.Env = []string{hostVar + "=" + string(config), "PATH=/usr/local/bin:/usr/bin:/bin", "TMPDIR=" + temp}
	out, err := host.StdoutPipe()
	is.NoErr(err)
	is.NoErr(host.Start())
	if n%3 > 0 { // else killed wherever it is, perhaps before the first agent
		buf := make([]byte, 8)
		out.Read(buf)
	}
	time.Sleep(rand.N(1500 * time.Millisecond))
	host.Process.Kill()
	host.Wait()

	killed := time.Now()
	ids := []string{fmt.Sprintf("@%d.", host.Process.Pid), fmt.Sprintf("TUITURN_SERVER=%d.", host.Process.Pid)}
	left := func() (pids []string) { return append(carrying(ids[0]), carrying(ids[1])...) }
	if !eventually(func() bool { return len(left()) == 0 }) {
		t.Errorf("processes outlived their host by %v: %v", time.Since(killed), left())
	}
	took := time.Since(killed).Round(time.Millisecond)
	if !eventually(func() bool { return len(occupied(temp)) == 0 }) {
		t.Errorf("left in the host's TempDir: %v", occupied(temp))
	}
	return took
}

// occupied are the entries of dir, without empty directories: a host that is
// killed in the millisecond before it has a guardian leaves one, for the next
// sweep.
func occupied(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if below, err := os.ReadDir(filepath.Join(dir, e.Name())); err != nil || len(below) > 0 {
			names = append(names, e.Name())
		}
	}
	return names
}
