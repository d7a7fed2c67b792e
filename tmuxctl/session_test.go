package tmuxctl_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/terminal"
	"github.com/tuiturn/tuiturn/internal/terminal/terminaltest"
	"github.com/tuiturn/tuiturn/tmuxctl"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

var _ terminal.Terminal = (*tmuxctl.Session)(nil)

func TestConformance(t *testing.T) {
	t.Parallel()
	conform(t, newServer(t))
}

func conform(t *testing.T, s *tmuxctl.Server) {
	terminaltest.Run(t, func(t *testing.T, cfg terminal.Config) (terminal.Terminal, error) {
		return s.NewSession(t.Context(), tmuxctl.SessionConfig{
			Name:    cfg.Name,
			Command: tmuxctl.Command{Path: cfg.Path, Args: cfg.Args, Env: cfg.Env, Dir: cfg.Dir},
			Cols:    cfg.Cols,
			Rows:    cfg.Rows,
		})
	})
}

// newServer is a server with a short directory of its own, closed with the test.
func newServer(t *testing.T) *tmuxctl.Server {
	t.Helper()
	s := &tmuxctl.Server{Tmux: tmuxtest.Require(t), TempDir: shortDir(t)}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left := list(t, s.TempDir); len(left) > 0 {
			t.Errorf("left over: %q", left)
		}
	})
	return s
}

// turn is a session "turn" that runs a script, on a server of its own.
func turn(t *testing.T, text string) (*tmuxctl.Server, *tmuxctl.Session) {
	t.Helper()
	s := newServer(t)
	return s, open(t, s, script("turn", text))
}

// noSessions fails the test if the server has one.
func noSessions(t *testing.T, s *tmuxctl.Server) {
	t.Helper()
	if names, err := s.Sessions(t.Context()); err != nil || len(names) > 0 {
		t.Errorf("sessions left: %q, %v", names, err)
	}
}

// shortDir is t.TempDir without the test's name, for which a socket's path has
// no room.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tt-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func script(name, text string, env ...string) tmuxctl.SessionConfig {
	return tmuxctl.SessionConfig{Name: name, Command: tmuxctl.Command{
		Path: "/bin/sh",
		Args: []string{"-c", text},
		Env:  append([]string{"PATH=/usr/bin:/bin"}, env...),
		Dir:  "/",
	}}
}

func open(t *testing.T, s *tmuxctl.Server, cfg tmuxctl.SessionConfig) *tmuxctl.Session {
	t.Helper()
	x, err := s.NewSession(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, x) })
	return x
}

func shut(t *testing.T, x *tmuxctl.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := x.Close(ctx); err != nil {
		t.Error(err)
	}
}

func wait(t *testing.T, x *tmuxctl.Session) syscall.WaitStatus {
	t.Helper()
	select {
	case <-x.Done():
	case <-time.After(patience):
		t.Fatal("the program's end was not reported")
	}
	return x.Status()
}

func alive(x *tmuxctl.Session) bool {
	select {
	case <-x.Done():
		return false
	default:
		return syscall.Kill(x.Pid(), 0) == nil
	}
}

// eventually waits until ok reports true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
	}
}

func see(t *testing.T, x *tmuxctl.Session, text string) {
	t.Helper()
	eventually(t, text, func() bool {
		screen, err := x.Screen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(screen, text)
	})
}

func TestNewSessionRefusesAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*tmuxctl.SessionConfig)
		want   string
	}{
		"no name":             {func(c *tmuxctl.SessionConfig) { c.Name = "" }, "session name"},
		"a dot in the name":   {func(c *tmuxctl.SessionConfig) { c.Name = "a.b" }, `"a.b"`},
		"a colon in the name": {func(c *tmuxctl.SessionConfig) { c.Name = "a:b" }, `"a:b"`},
		"a target as name":    {func(c *tmuxctl.SessionConfig) { c.Name = "=a" }, `"=a"`},
		"a newline after it":  {func(c *tmuxctl.SessionConfig) { c.Name = "a\n" }, `"a\n"`},
		"no program":          {func(c *tmuxctl.SessionConfig) { c.Command.Path = "" }, "absolute path"},
		"a relative program":  {func(c *tmuxctl.SessionConfig) { c.Command.Path = "sh" }, "absolute path"},
		"a missing program":   {func(c *tmuxctl.SessionConfig) { c.Command.Path = file + "0" }, file + "0"},
		"no program file":     {func(c *tmuxctl.SessionConfig) { c.Command.Path = file }, "permission denied"},
		"no directory":        {func(c *tmuxctl.SessionConfig) { c.Command.Dir = "" }, "set Command.Dir"},
		"a relative one":      {func(c *tmuxctl.SessionConfig) { c.Command.Dir = "." }, "absolute path"},
		"a file as one":       {func(c *tmuxctl.SessionConfig) { c.Command.Dir = file }, "not a directory"},
		"NUL in a value":      {func(c *tmuxctl.SessionConfig) { c.Command.Env = []string{"A=secret\x00"} }, "NUL"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			cfg := script("a", "exit")
			c.change(&cfg)
			var s tmuxctl.Server
			_, err := s.NewSession(t.Context(), cfg)
			is.True(err != nil)
			is.True(strings.Contains(err.Error(), c.want))
			is.True(!strings.Contains(err.Error(), "secret"))
			is.Equal(s.Socket(), "") // not even a server was started
		})
	}
}

func TestADuplicateNameIsRefusedAndTheFirstStays(t *testing.T) {
	is := is.New(t)
	s, first := turn(t, "exec sleep 60")
	_, err := s.NewSession(t.Context(), script("turn", "exec sleep 60"))
	is.True(err != nil && strings.Contains(err.Error(), "duplicate session"))
	// Also where the context ends while tmux is asked.
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*400*time.Microsecond)
		_, err := s.NewSession(ctx, script("turn", "exec sleep 60"))
		cancel()
		is.True(err != nil)
	}
	is.True(alive(first))
	names, err := s.Sessions(t.Context())
	is.NoErr(err)
	is.Equal(names, []string{"turn"})
}

func TestANameIsNoPrefix(t *testing.T) {
	is := is.New(t)
	s := newServer(t)
	one := open(t, s, script("turn-1", "exec sleep 60"))
	ten := open(t, s, script("turn-10", "echo ten; exec sleep 60"))
	see(t, ten, "ten")
	shut(t, one)
	shut(t, one)
	_, err := one.Screen(t.Context())
	is.True(errors.Is(err, os.ErrProcessDone)) // not turn-10's
	is.True(errors.Is(one.SendKeys(t.Context(), "C-c"), os.ErrProcessDone))
	is.True(alive(ten))
	names, err := s.Sessions(t.Context())
	is.NoErr(err)
	is.Equal(names, []string{"turn-10"})
}

func TestASessionThatAPersonKills(t *testing.T) {
	is := is.New(t)
	s, x := turn(t, "exec sleep 60")
	within(t, time.Second, "learning of the end", func() {
		_, err := s.Run(t.Context(), "kill-session", "-t", "=turn")
		is.NoErr(err)
		is.Equal(wait(t, x).Signal(), syscall.SIGHUP)
	})
}

func TestNaturalEnds(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	open(t, s, script("stays", "exec sleep 60"))
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := worker; i < 100; i += 4 {
				x, err := s.NewSession(t.Context(), script(fmt.Sprint("exit-", i), fmt.Sprint("exit ", i)))
				if err != nil {
					t.Error(err)
					return
				}
				<-x.Done()
				if got := x.Status(); !got.Exited() || got.ExitStatus() != i {
					t.Errorf("exit %d was reported as %#x", i, got)
				}
				if i%2 == 0 { // the others' panes stay
					shut(t, x)
				}
			}
		})
	}
	all.Wait()
	if left := zombies(serverPid(t, s)); len(left) > 0 {
		t.Errorf("zombies: %v", left)
	}
}

func TestACancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newServer(t)
	open(t, s, script("first", "exec sleep 60"))
	failed := 0
	for i := range 40 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Microsecond)
		x, err := s.NewSession(ctx, script("turn", "exec sleep 60"))
		cancel()
		if err == nil {
			shut(t, x)
		} else {
			failed++
			is.True(errors.Is(err, context.DeadlineExceeded))
		}
		names, err := s.Sessions(t.Context())
		is.NoErr(err)
		is.Equal(names, []string{"first"})                                  // after round i
		is.Equal(list(t, filepath.Dir(s.Socket())), []string{"lease", "s"}) // no FIFO
	}
	is.True(failed > 0)
}

// Several pastes at once arrive whole, one after the other.
func TestPastesDoNotMix(t *testing.T) {
	is := is.New(t)
	s := newServer(t)
	const size, n = 20_000, 8
	file := filepath.Join(t.TempDir(), "received")
	x := open(t, s, script("turn", fmt.Sprintf(`stty raw -echo; printf up; head -c %d >"$FILE"; printf done; sleep 60`, n*size), "FILE="+file))
	see(t, x, "up")
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := x.Paste(t.Context(), []byte(strings.Repeat(fmt.Sprint(i), size))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	see(t, x, "done")
	got, err := os.ReadFile(file)
	is.NoErr(err)
	for i := range n {
		is.True(strings.Contains(string(got), strings.Repeat(fmt.Sprint(i), size))) // paste i is whole
	}
	buffers, err := s.Run(t.Context(), "list-buffers")
	is.NoErr(err)
	is.Equal(string(buffers), "")
}

func TestAPasteThatFailsLeavesNoBuffer(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, x := turn(t, "exec sleep 60")
	for i := range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*500*time.Microsecond)
		x.Paste(ctx, make([]byte, 1000)) // may or may not come in time
		cancel()
		buffers, err := s.Run(t.Context(), "list-buffers")
		is.NoErr(err)
		is.Equal(string(buffers), "") // after round i
	}
}
