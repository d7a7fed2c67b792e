package tmuxctl_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/tmuxctl"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// nothingButTurn fails the test if the server has anything but the session
// "turn", if that, and its directory anything but the socket.
func nothingButTurn(t *testing.T, s *tmuxctl.Server) {
	t.Helper()
	names, err := s.Sessions(t.Context())
	names = slices.DeleteFunc(names, func(name string) bool { return name == "turn" })
	if err != nil || len(names) > 0 {
		t.Errorf("sessions left: %q, %v", names, err)
	}
	buffers, err := s.Run(t.Context(), "list-buffers")
	if err != nil || len(buffers) > 0 {
		t.Errorf("buffers left: %q, %v", buffers, err)
	}
	if files := list(t, filepath.Dir(s.Socket())); !slices.Equal(files, []string{"lease", "s"}) {
		t.Errorf("files left: %q", files)
	}
}

// Somebody stops the server in mid-turn. Every call ends with its context and
// says what is going on, and once the server goes on nothing is left of it.
func TestTheServerIsStopped(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *tmuxctl.Server, *tmuxctl.Session) error{
		"NewSession": func(ctx context.Context, s *tmuxctl.Server, _ *tmuxctl.Session) error {
			_, err := s.NewSession(ctx, script("other", "exec sleep 60"))
			return err
		},
		"Run": func(ctx context.Context, s *tmuxctl.Server, _ *tmuxctl.Session) error {
			_, err := s.Run(ctx, "list-sessions")
			return err
		},
		"Run by a process": func(ctx context.Context, s *tmuxctl.Server, _ *tmuxctl.Session) error {
			_, err := s.Run(ctx, "list-clients")
			return err
		},
		"Sessions": func(ctx context.Context, s *tmuxctl.Server, _ *tmuxctl.Session) error {
			_, err := s.Sessions(ctx)
			return err
		},
		"SendKeys": func(ctx context.Context, _ *tmuxctl.Server, x *tmuxctl.Session) error {
			return x.SendKeys(ctx, "a", "Enter")
		},
		"Paste": func(ctx context.Context, _ *tmuxctl.Server, x *tmuxctl.Session) error {
			return x.Paste(ctx, make([]byte, 100_000))
		},
		"Screen": func(ctx context.Context, _ *tmuxctl.Server, x *tmuxctl.Session) error {
			_, err := x.Screen(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			s, x := turn(t, "stty raw -echo; echo up; exec cat >/dev/null")
			see(t, x, "up")
			pid := serverPid(t, s)
			is.NoErr(syscall.Kill(pid, syscall.SIGSTOP))
			defer syscall.Kill(pid, syscall.SIGCONT)
			ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
			defer cancel()
			var err error
			within(t, 5*time.Second, "the call", func() { err = call(ctx, s, x) })
			is.True(errors.Is(err, context.DeadlineExceeded))
			is.True(strings.Contains(err.Error(), fmt.Sprintf("check whether its process %d is stopped", pid)))
			_, err = x.Unread(t.Context())
			is.NoErr(err) // which needs no server
			is.NoErr(syscall.Kill(pid, syscall.SIGCONT))
			nothingButTurn(t, s)
			see(t, x, "up")
			within(t, 3*time.Second, "closing the session", func() { shut(t, x) })
		})
	}
}

// The status of a program that ends meanwhile is not lost.
func TestTheProgramEndsWhileTheServerIsStopped(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, x := turn(t, "echo up; sleep 0.1; exit 7")
	see(t, x, "up")
	pid := serverPid(t, s)
	for range 20 { // also when it has been woken
		is.NoErr(syscall.Kill(pid, syscall.SIGSTOP))
		time.Sleep(10 * time.Millisecond)
	}
	within(t, 10*time.Second, "learning of the end", func() { is.Equal(wait(t, x).ExitStatus(), 7) })
}

// Somebody kills the server in mid-turn, while every kind of call is under way.
func TestTheServerIsKilled(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, x := turn(t, "trap '' HUP; stty raw -echo; echo up; exec sleep 60")
	see(t, x, "up")
	pid, dir := serverPid(t, s), filepath.Dir(s.Socket())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var calls sync.WaitGroup
	for name, call := range map[string]func() error{
		"Run":      func() error { _, err := s.Run(ctx, "list-sessions"); return err },
		"SendKeys": func() error { return x.SendKeys(ctx, "a") },
		"Paste":    func() error { return x.Paste(ctx, make([]byte, 10_000)) },
		"Screen":   func() error { _, err := x.Screen(ctx); return err },
	} {
		began := make(chan struct{})
		calls.Go(func() {
			err := call()
			close(began)
			for err == nil {
				err = call()
			}
			if !errors.Is(err, tmuxctl.ErrServerClosed) {
				t.Errorf("%s: %v", name, err)
			}
		})
		<-began
	}
	is.NoErr(syscall.Kill(pid, syscall.SIGKILL))
	within(t, 5*time.Second, "the end of the calls", calls.Wait)
	is.True(alive(x)) // it ignores the end of its terminal
	within(t, 5*time.Second, "closing the session", func() { shut(t, x) })
	is.True(!alive(x))
	next := open(t, s, script("turn", "echo next; exec sleep 60"))
	see(t, next, "next")
	_, err := os.Stat(dir)
	is.True(os.IsNotExist(err))
	nothingButTurn(t, s)
}

// A program that never reads ends, one way or another, while a paste waits for
// it.
func TestAProgramEndsInMidPaste(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("0123456789abcdef", 1<<16))
	for name, end := range map[string]func(*testing.T, *tmuxctl.Server, *tmuxctl.Session){
		"Close":   func(t *testing.T, _ *tmuxctl.Server, x *tmuxctl.Session) { shut(t, x) },
		"SIGKILL": func(t *testing.T, _ *tmuxctl.Server, x *tmuxctl.Session) { syscall.Kill(x.Pid(), syscall.SIGKILL) },
		"kill-pane": func(t *testing.T, s *tmuxctl.Server, x *tmuxctl.Session) {
			s.Run(t.Context(), "kill-pane", "-t", "=turn:")
		},
		"kill-session": func(t *testing.T, s *tmuxctl.Server, x *tmuxctl.Session) {
			s.Run(t.Context(), "kill-session", "-t", "=turn")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			s, x := turn(t, "stty raw -echo; echo up; exec sleep 60")
			see(t, x, "up")
			pasted := make(chan struct{})
			first := make(chan struct{})
			go func() {
				defer close(pasted)
				for i, err := 0, error(nil); i < 100 && err == nil; i++ {
					err = x.Paste(t.Context(), text)
					if i == 0 {
						close(first)
					}
				}
			}()
			<-first
			end(t, s, x)
			within(t, 5*time.Second, "the end of the program and of the paste", func() {
				wait(t, x)
				<-pasted // with or without an error
			})
			is.True(errors.Is(x.Paste(t.Context(), text), os.ErrProcessDone))
			within(t, 3*time.Second, "closing the session", func() { shut(t, x) })
			noSessions(t, s)
			nothingButTurn(t, s)
		})
	}
}

func TestAProgramThatNeverReads(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, x := turn(t, "stty raw -echo; echo up; exec sleep 60")
	see(t, x, "up")
	for range 8 {
		within(t, 3*time.Second, "pasting 1 MB", func() { is.NoErr(x.Paste(t.Context(), make([]byte, 1<<20))) })
	}
	eventually(t, "the terminal to be full", func() bool {
		n, err := x.Unread(t.Context())
		is.NoErr(err)
		return n > 1000
	})
	within(t, time.Second, "a look", func() { see(t, x, "up") })
	within(t, time.Second, "a key", func() { is.NoErr(x.SendKeys(t.Context(), "C-c")) })
	nothingButTurn(t, s)
	within(t, 3*time.Second, "closing the session", func() { shut(t, x) })
	nothingButTurn(t, s)
}

// Somebody tells the server to end while sessions are made. Some are wedged by
// that: they keep a pane and take no command any more.
func TestKillServerMeetsNewSession(t *testing.T) {
	t.Parallel()
	tmux := tmuxtest.Require(t)
	is := is.New(t)
	dir := shortDir(t)
	for i := range 10 {
		s := &tmuxctl.Server{Tmux: tmux, TempDir: dir}
		open(t, s, script("first", "exec sleep 60"))
		kill := exec.Command(tmux, "-u", "-f", "/dev/null", "-S", s.Socket(), "kill-server")
		kill.Env, kill.Dir = []string{"PATH=/usr/bin:/bin"}, "/"
		is.NoErr(kill.Start())
		for j := range 2 {
			time.Sleep(time.Duration(i) * 200 * time.Microsecond)
			within(t, 5*time.Second, "starting", func() {
				x, err := s.NewSession(t.Context(), script(fmt.Sprint("turn-", j), "exec sleep 60"))
				is.NoErr(err) // round i: on another server, if need be
				shut(t, x)
			})
		}
		kill.Wait()
		within(t, 5*time.Second, "closing the server", func() { is.NoErr(s.Close()) })
		is.Equal(len(list(t, dir)), 0)
		eventually(t, "server, client and pane to go", func() bool { return len(commandLines(dir)) == 0 })
	}
}

// A cleaner of temporary files takes the server's directory away.
func TestTheDirectoryIsRemoved(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, x := turn(t, echo)
	see(t, x, "up")
	is.NoErr(os.RemoveAll(filepath.Dir(s.Socket())))
	is.NoErr(x.SendKeys(t.Context(), "a")) // over the connection that there is
	see(t, x, "<a>")
	_, err := s.NewSession(t.Context(), script("other", "exit"))
	is.True(errors.Is(err, os.ErrNotExist))
	within(t, 3*time.Second, "closing the session", func() { shut(t, x) })
	within(t, 3*time.Second, "closing the server", func() { is.NoErr(s.Close()) })
}

// A cleaner of temporary files takes the socket alone: the server makes another.
func TestTheSocketIsRemoved(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, x := turn(t, echo)
	see(t, x, "up")
	is.NoErr(os.Remove(s.Socket()))
	is.NoErr(x.Paste(t.Context(), []byte("a"))) // by a client of its own
	see(t, x, "<a>")
	is.NoErr(os.Remove(s.Socket()))
	y, err := s.NewSession(t.Context(), script("other", "echo there; exec sleep 60"))
	is.NoErr(err)
	see(t, y, "there")
	_, err = os.Lstat(s.Socket())
	is.NoErr(err)
	shut(t, x)
	shut(t, y)
	within(t, 3*time.Second, "closing the server", func() { is.NoErr(s.Close()) })
}

// A cleaner that never rests takes the socket the moment it is made, also while the
// server starts: the session begins, or the error names what was taken.
func TestTheSocketIsRemovedAtOnce(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	for range 5 {
		s := newServer(t)
		ctx, rest := context.WithTimeout(t.Context(), 200*time.Millisecond)
		over := make(chan struct{})
		go func() {
			defer close(over)
			for ctx.Err() == nil {
				for _, pattern := range []string{"*/s", "*/*/s"} {
					sockets, _ := filepath.Glob(filepath.Join(s.TempDir, pattern))
					for _, socket := range sockets {
						os.Remove(socket)
					}
				}
			}
		}()
		x, err := s.NewSession(t.Context(), script("turn", "echo there; exec sleep 60"))
		rest()
		<-over
		if path, ok := errors.AsType[*fs.PathError](err); err != nil && (!ok || filepath.Base(path.Path) != "s" || !errors.Is(err, fs.ErrNotExist)) {
			t.Errorf("the session: %v", err)
		}
		if err == nil {
			see(t, x, "there")
			shut(t, x)
		}
		within(t, 3*time.Second, "closing the server", func() { is.NoErr(s.Close()) })
		is.Equal(len(list(t, s.TempDir)), 0)
	}
}

func TestCloseTwiceAtOnce(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, x := turn(t, "trap '' HUP TERM; echo up; while :; do sleep 1; done")
	see(t, x, "up")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { shut(t, x) })
	}
	within(t, 5*time.Second, "closing", all.Wait)
	is.True(!alive(x))
	nothingButTurn(t, s)
}

// Twenty callers start one server, and twenty servers start in one directory.
func TestTwentyStartAtOnce(t *testing.T) {
	t.Parallel()
	tmux := tmuxtest.Require(t)
	is := is.New(t)
	dir := shortDir(t)
	same := &tmuxctl.Server{Tmux: tmux, TempDir: dir}
	servers := []*tmuxctl.Server{same}
	pids := make([]int, 20)
	var all sync.WaitGroup
	for i := range 20 {
		own := &tmuxctl.Server{Tmux: tmux, TempDir: dir}
		servers = append(servers, own)
		for _, s := range []*tmuxctl.Server{same, own} {
			all.Go(func() {
				x, err := s.NewSession(t.Context(), script(fmt.Sprint("turn-", i), "exec sleep 60"))
				if err != nil {
					t.Error(err)
					return
				}
				if s == same {
					pids[i] = serverPid(t, s)
				}
				shut(t, x)
			})
		}
	}
	within(t, 30*time.Second, "starting", all.Wait)
	is.Equal(len(slices.Compact(pids)), 1) // one server for all who named the same
	for _, s := range servers {
		is.NoErr(s.Close())
	}
	is.Equal(len(list(t, dir)), 0)
	eventually(t, "servers, clients and panes to go", func() bool { return len(commandLines(dir)) == 0 })
}

// tmux itself falls back to the user's own server, silently.
func TestTmuxTmpdirIsMissing(t *testing.T) {
	tmuxtest.Require(t)
	is := is.New(t)
	missing := filepath.Join(shortDir(t), "missing")
	t.Setenv("TMUX_TMPDIR", missing)
	s := newServer(t)
	see(t, open(t, s, script("turn", `echo "<$TMUX_TMPDIR>"; exec sleep 60`)), "<>")
	is.True(strings.HasPrefix(s.Socket(), s.TempDir))
	_, err := os.Stat(missing)
	is.True(os.IsNotExist(err))
}
