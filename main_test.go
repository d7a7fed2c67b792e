package tuiturn

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/drive"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// patience bounds a turn whose end the test waits for. It is for one that hangs:
// no test waits for it, and a busy machine may take long.
const patience = 3 * time.Minute

// inTime tells whether what is to be quick was so. How quick is judged with
// TUITURN_LONG=1, on a quiet machine; else only whether it hung.
func inTime(took, limit time.Duration) bool {
	if os.Getenv("TUITURN_LONG") == "" {
		limit = max(limit, patience)
	}
	return took < limit
}

// dummyToken is nobody's.
const dummyToken = "sk-ant-oat01-a-dummy-for-tests-AbCdEfGhIjKl"

// TestMain is the fake agent when a test has started this program as one, and
// otherwise fails a suite that leaves a goroutine or a child behind.
func TestMain(m *testing.M) {
	if fakeagent.Enabled() {
		os.Exit(fakeagent.Main())
	}
	lease.Apart()
	lease.Considered = lease.NoOrphans
	if config := os.Getenv(hostVar); config != "" {
		beHost(config)
		return
	}
	flag.Parse()
	if n := flag.Lookup("test.parallel").Value; n.String() == flag.Lookup("test.parallel").DefValue {
		n.Set("6") // a turn waits most of its time
	}
	drive.DoorWait = 3 * time.Second // the fake agent has little to do
	goroutines := runtime.NumGoroutine()
	status := m.Run()
	if fuzzing := flag.Lookup("test.fuzz").Value.String() != ""; status == 0 && !fuzzing {
		if err := leftovers(goroutines); err != nil {
			fmt.Fprintln(os.Stderr, "after all tests:", err)
			status = 1
		}
	}
	os.Exit(status)
}

// leftovers tells what this process still has of the turns it ran.
func leftovers(goroutines int) error {
	if !eventually(func() bool { return runtime.NumGoroutine() <= goroutines }) {
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		return fmt.Errorf("%d goroutines, there were %d", runtime.NumGoroutine(), goroutines)
	}
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		return fmt.Errorf("a child process is left (wait4: %d, %v)", pid, err)
	}
	return nil
}

// eventually waits for what has no event.
func eventually(ok func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-late:
			return false
		}
	}
	return true
}

// onEachTerminal runs a test over tmux and over a pty.
func onEachTerminal(t *testing.T, test func(t *testing.T, kind TerminalKind)) {
	for _, kind := range []TerminalKind{Tmux, Pty} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			if kind == Tmux {
				tmuxtest.Require(t)
			}
			test(t, kind)
		})
	}
}

// A stage is a Runner with a fake agent, and the directories it works in.
type stage struct {
	*Runner
	t          testing.TB
	home, work string
}

// newStage returns a stage that is struck with the test: the Runner is closed
// then and must have left nothing.
func newStage(t testing.TB, kind TerminalKind, script fakeagent.Script) *stage {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir(), whose path is too long for a socket.
	root, err := os.MkdirTemp("", "tt")
	if err != nil {
		t.Fatal(err)
	}
	// A name of its own, by which its version is remembered.
	agent := filepath.Join(root, "claude")
	if err := os.Symlink(self, agent); err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, home: filepath.Join(root, "home"), work: filepath.Join(root, "work")}
	temp := filepath.Join(root, "t")
	for _, dir := range []string{s.work, temp} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.Runner = &Runner{
		Agent:    Claude{Path: agent},
		Home:     tuiauth.Home{Dir: s.home, Mode: tuiauth.Isolated},
		Token:    dummyToken,
		Terminal: kind,
		TempDir:  temp,
		// The race detector makes a program sleep for a second when it ends.
		Env: append(script.Environ(), "GORACE=atexit_sleep_ms=0"),
	}
	if script.Rollout != "" {
		s.Agent = rolloutAgent{s.Agent.agent()}
	}
	t.Cleanup(func() {
		if turns, _ := filepath.Glob(filepath.Join(temp, "*", "t-*")); len(turns) > 0 && s.Pool.Size == 0 {
			t.Errorf("directories of turns are left: %q", turns)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if left, _ := os.ReadDir(temp); len(left) > 0 {
			t.Errorf("Close left %v in TempDir", left)
		}
		os.RemoveAll(root)
	})
	return s
}

// answers is a script with the agent's behaviour for every prompt.
func answers(turn fakeagent.Turn) fakeagent.Script {
	return fakeagent.Script{Turns: []fakeagent.Turn{turn}}
}

// turn is Turn with what must be true of each.
func (s *stage) turn(ctx context.Context, req Request) (*Result, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if req.WorkDir == "" {
		req.WorkDir = s.work
	}
	res, err := s.Turn(ctx, req)
	if res == nil {
		s.t.Fatal("Turn returned no Result")
	}
	addUp(s.t, res.Timings)
	if pids := s.processes(res); len(pids) > 0 {
		s.t.Errorf("Turn returned and left the processes %v", pids)
	}
	if err != nil {
		e, ok := err.(*Error)
		if !ok || e.SessionID != res.SessionID || e.Op == "" {
			s.t.Errorf("Turn's error is not an *Error of session %s: %#v", res.SessionID, err)
		}
		if ok && strings.Contains(err.Error()+e.Screen, dummyToken) {
			s.t.Errorf("the token stands in the error: %v", err)
		}
	}
	return res, err
}

// addUp fails the test if time is missing.
func addUp(t testing.TB, x Timings) {
	t.Helper()
	if x.Total <= 0 || x.Total != x.Queue+x.Boot+x.Submit+x.Answer+x.Teardown {
		t.Errorf("the timings do not add up: %+v", x)
	}
}

// processes are those that carry the mark of a session, by the name that we have given
// it, zombies aside. Only Linux tells.
func processes(session string) (pids []string) {
	return carrying("TUITURN_SESSION=turn-" + session + "@")
}

// processes are those of a turn's session. A session that its agent has named has the
// mark in its log.
func (s *stage) processes(res *Result) (pids []string) {
	if _, ok := s.Agent.(rolloutAgent); !ok {
		return processes(res.SessionID)
	}
	if mark := rolloutMark(s.home, res.SessionID); mark != "" {
		return carrying("TUITURN_SESSION=" + mark + "\x00")
	}
	return nil // no prompt was recorded
}

// as is errors.AsType that fails the test.
func as[E error](t testing.TB, err error) E {
	t.Helper()
	e, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("got %v, want a %T in it", err, e)
	}
	return e
}

func TestNothingAccumulates(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descriptors are counted in /proc")
	}
	for _, kind := range []TerminalKind{Tmux, Pty} {
		t.Run(string(kind), func(t *testing.T) {
			if kind == Tmux {
				tmuxtest.Require(t)
			}
			is := is.New(t)
			s := newStage(t, kind, fakeagent.Script{})
			count := func() (goroutines, files int) {
				fds, err := os.ReadDir("/proc/self/fd")
				is.NoErr(err)
				return runtime.NumGoroutine(), len(fds)
			}
			round := func() {
				_, err := s.turn(t.Context(), Request{Prompt: "hello"})
				is.NoErr(err)
				ctx, cancel := context.WithCancel(t.Context())
				_, err = s.turn(ctx, Request{Prompt: "hello", Trace: &Trace{Ready: cancel}})
				is.True(errors.Is(err, context.Canceled))
			}
			round() // what turns share is made with the first
			goroutines, files := count()
			for range 3 {
				round()
			}
			is.True(eventually(func() bool {
				g, f := count()
				return g <= goroutines && f <= files
			})) // no more goroutines and descriptors than after the first round
		})
	}
}

func isGone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
