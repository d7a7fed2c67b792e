package tmuxctl_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

	"github.com/tuiturn/tuiturn/reaper"
	"github.com/tuiturn/tuiturn/tmuxctl"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// somebodys is a server as a person may have it, with a session of theirs, and
// a Server of ours that shares it. When the test is over it must be as it was.
func somebodys(t *testing.T) (*tmuxtest.Server, *tmuxctl.Server) {
	t.Helper()
	theirs := tmuxtest.New(t)
	tmux := func(args ...string) string {
		t.Helper()
		out, err := theirs.Tmux(context.Background(), args...)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return string(out)
	}
	tmux("new-session", "-d", "-s", "theirs", "-x", "80", "-y", "24", "/bin/sh", "-c", "exec cat")
	for _, o := range []string{"base-index 7", "default-shell /bin/false", "status 2", "history-limit 100",
		"destroy-unattached on", "prefix C-a"} {
		f := strings.Fields(o)
		if f[0] == "destroy-unattached" {
			tmux("set-option", "-t", "=theirs:", f[0], "off")
		}
		tmux("set-option", "-g", f[0], f[1])
	}
	for _, o := range []string{"remain-on-exit off", "pane-border-status top", "automatic-rename on",
		"allow-rename on", "alternate-screen off", "pane-base-index 3"} {
		f := strings.Fields(o)
		tmux("set-window-option", "-g", f[0], f[1])
	}
	tmux("send-keys", "-t", "=theirs:", "my work", "Enter")
	state := func() string {
		return tmux("list-panes", "-a", "-F", "#{pid} #{session_id} #{session_name} #{pane_id} #{pane_pid} #{pane_width}x#{pane_height}") +
			tmux("show-options", "-g") + tmux("show-options", "-s") + tmux("show-window-options", "-g") +
			tmux("show-options", "-t", "=theirs:") + tmux("list-buffers") + tmux("capture-pane", "-p", "-t", "=theirs:")
	}
	eventually(t, "their screen", func() bool {
		return strings.Count(tmux("capture-pane", "-p", "-t", "=theirs:"), "my work") == 2
	})
	before := state()
	s := &tmuxctl.Server{Tmux: theirs.Path, Shared: theirs.Socket, TempDir: shortDir(t)}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left := list(t, s.TempDir); len(left) > 0 {
			t.Errorf("left over: %q", left)
		}
		if after := state(); after != before {
			t.Errorf("the server was\n%s\nand is\n%s", before, after)
		}
	})
	return theirs, s
}

func TestConformanceOnASharedServer(t *testing.T) {
	t.Parallel()
	_, s := somebodys(t)
	conform(t, s)
}

func TestASharedServer(t *testing.T) {
	is := is.New(t)
	theirs, s := somebodys(t)
	x := open(t, s, script("turn", "stty size; exec sleep 60"))
	see(t, x, "40 120")
	is.Equal(x.Name(), "turn")
	is.Equal(s.Socket(), theirs.Socket)
	names, err := s.Sessions(t.Context())
	is.NoErr(err)
	is.Equal(names, []string{"turn"})

	// Another Server on the same one has names of its own.
	other := &tmuxctl.Server{Tmux: s.Tmux, Shared: s.Shared, TempDir: s.TempDir}
	y := open(t, other, script("turn", "exec sleep 60"))
	is.NoErr(other.Close())
	is.True(wait(t, y).Signaled())
	is.True(alive(x))

	is.NoErr(s.Close())
	is.True(wait(t, x).Signaled())
	is.NoErr(s.Close())
	_, err = s.NewSession(t.Context(), script("turn", "exit"))
	is.True(errors.Is(err, tmuxctl.ErrServerClosed))
}

// A cleaner of temporary files takes the socket of somebody's server. Only its owner
// makes another.
func TestTheSharedSocketIsRemoved(t *testing.T) {
	is := is.New(t)
	theirs, s := somebodys(t)
	x := open(t, s, script("turn", "echo up; exec sleep 60"))
	see(t, x, "up")
	out, err := theirs.Tmux(t.Context(), "display-message", "-p", "#{pid}")
	is.NoErr(err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	is.NoErr(err)
	is.NoErr(os.Remove(theirs.Socket))
	_, err = x.Screen(t.Context())
	is.True(err != nil && strings.Contains(err.Error(), fmt.Sprintf("kill -USR1 %d", pid)))
	is.True(s.Close() != nil) // a pane is left
	is.NoErr(syscall.Kill(pid, syscall.SIGUSR1))
	eventually(t, "the socket", func() bool { _, err := os.Lstat(theirs.Socket); return err == nil })
	is.NoErr(s.Close())
}

// What people do with a session of ours ends nothing of theirs and keeps nothing
// of ours.
func TestPeopleOnASharedServer(t *testing.T) {
	for name, c := range map[string]struct {
		do   []string // with ID and PANE
		left string   // the sessions afterwards
	}{
		"renamed":          {[]string{"rename-session", "-t", "ID", "mine-now"}, ""},
		"grouped":          {[]string{"new-session", "-d", "-t", "ID", ";", "new-window", "-d", "/bin/sh", "-c", "exec cat"}, ""},
		"a window of mine": {[]string{"new-window", "-d", "-t", "ID", "/bin/sh", "-c", "exec cat"}, "ours"},
		"moved to mine":    {[]string{"move-window", "-d", "-s", "PANE", "-t", "=theirs:9"}, ""},
		"joined to mine":   {[]string{"join-pane", "-d", "-s", "PANE", "-t", "=theirs:"}, ""},
	} {
		for _, how := range []string{"Session.Close", "Server.Close"} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				theirs := tmuxtest.New(t)
				tmux := func(args ...string) string {
					t.Helper()
					out, err := theirs.Tmux(t.Context(), args...)
					is.NoErr(err)
					return string(out)
				}
				tmux("new-session", "-d", "-s", "theirs", "/bin/sh", "-c", "exec cat")
				s := &tmuxctl.Server{Tmux: theirs.Path, Shared: theirs.Socket, TempDir: shortDir(t)}
				x := open(t, s, script("turn", "trap '' HUP; echo up; while :; do sleep 0.05; done"))
				see(t, x, "up")
				f := strings.Fields(tmux("list-panes", "-s", "-t", "$1", "-F", "#{session_id} #{pane_id} #{pane_pid}"))
				is.Equal(f[2], fmt.Sprint(x.Pid()))
				do := slices.Clone(c.do)
				for i, arg := range do {
					do[i] = strings.NewReplacer("ID", f[0], "PANE", f[1]).Replace(arg)
				}
				tmux(do...)
				panes := func() string { return tmux("list-panes", "-a", "-F", "#{pane_pid}") }
				is.True(strings.Contains(panes(), fmt.Sprint(x.Pid())))
				if how == "Session.Close" {
					shut(t, x)
				} else {
					is.NoErr(s.Close())
				}
				is.True(!alive(x))
				is.True(!strings.Contains(panes(), fmt.Sprint(x.Pid())))
				is.True(strings.Contains(tmux("list-sessions", "-F", "#{session_name}"), "theirs"))
				if name == "grouped" || name == "a window of mine" {
					is.Equal(strings.Count(tmux("list-panes", "-a", "-F", "#{pane_start_command} #{pane_dead}"), "exec cat"), strings.Count(panes(), "\n"))
					is.True(strings.Count(panes(), "\n") > 1) // theirs is there
				}
				is.NoErr(s.Close())
			})
		}
	}
}

// A start that fails ends nothing of another host, whose FIFOs have the same
// numbers.
func TestAFailedStartOnASharedServer(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	theirs, s := somebodys(t)
	other := &tmuxctl.Server{Tmux: s.Tmux, Shared: s.Shared, TempDir: shortDir(t)}
	defer func() { is.NoErr(other.Close()) }()
	one, two := open(t, other, script("one", "exec sleep 60")), open(t, other, script("two", "exec sleep 60"))
	_, err := theirs.Tmux(t.Context(), "new-window", "-d", "-n", "scratch", "-t", "=theirs:", "tail", "-f", "/dev/null", "/env-2")
	is.NoErr(err)
	defer theirs.Tmux(context.Background(), "kill-window", "-t", "=theirs:scratch")
	open(t, s, script("one", "exec sleep 60"))
	_, err = s.NewSession(t.Context(), script("one", "exec sleep 60"))
	is.True(err != nil && strings.Contains(err.Error(), "duplicate"))
	is.True(alive(one))
	is.True(alive(two))
	out, err := theirs.Tmux(t.Context(), "list-windows", "-t", "=theirs:")
	is.NoErr(err)
	is.Equal(strings.Count(string(out), "\n"), 2)
}

// The server is ended and another one started while a client of ours is on its
// way. That one has a session of the same number.
func TestASharedServerIsRestartedInMidCommand(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"new-session", "list-panes"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			theirs := tmuxtest.New(t)
			start := []string{"new-session", "-d", "-s", "theirs", "/bin/sh", "-c", "exec cat", ";", "new-session", "-d", "-s", "precious", "/bin/sh", "-c", "exec cat"}
			_, err := theirs.Tmux(t.Context(), start...)
			is.NoErr(err)
			dir := shortDir(t)
			slow, late, now := filepath.Join(dir, "tmux"), filepath.Join(dir, "late"), filepath.Join(dir, "now")
			is.NoErr(os.WriteFile(slow, []byte(fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *%s*) if [ -e %s ]; then rm %s; while ! [ -e %s ]; do sleep 0.01; done; fi;; esac\nexec %s \"$@\"\n",
				command, late, late, now, theirs.Path)), 0o700))
			s := &tmuxctl.Server{Tmux: slow, Shared: theirs.Socket, TempDir: shortDir(t)}
			x := open(t, s, script("turn", "exec sleep 60"))
			is.NoErr(os.WriteFile(late, nil, 0o600))
			restarted := make(chan error, 1)
			go func() {
				for {
					if _, err := os.Stat(late); err != nil {
						break // the client is on its way
					}
					time.Sleep(time.Millisecond)
				}
				theirs.Tmux(context.Background(), "kill-server")
				var err error
				for range 500 {
					if _, err = theirs.Tmux(context.Background(), start...); err == nil {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				os.WriteFile(now, nil, 0o600)
				restarted <- err
			}()
			if command == "new-session" {
				y, err := s.NewSession(t.Context(), script("other", "exec sleep 60")) // on the next server
				is.NoErr(err)
				is.True(alive(y))
				shut(t, y)
			}
			shut(t, x)
			is.NoErr(<-restarted)
			is.NoErr(s.Close())
			out, err := theirs.Tmux(t.Context(), "list-panes", "-a", "-F", "#{session_name} #{pane_dead}")
			is.NoErr(err)
			is.Equal(string(out), "precious 0\ntheirs 0\n")
		})
	}
}

// A hook of the owner's that changes new sessions is reported.
func TestHooksOfASharedServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ hook, want string }{
		"renames": {"rename-session somebody-elses", ""},
		"splits":  {"split-window -d '/bin/sh -c \"exec cat\"'", "hook"},
		"kills":   {"kill-session", "hook"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			theirs := tmuxtest.New(t)
			_, err := theirs.Tmux(t.Context(), "new-session", "-d", "-s", "theirs", "/bin/sh", "-c", "exec cat", ";", "set-hook", "-g", "after-new-session", c.hook)
			is.NoErr(err)
			s := &tmuxctl.Server{Tmux: theirs.Path, Shared: theirs.Socket, TempDir: shortDir(t)}
			x, err := s.NewSession(t.Context(), script("turn", "exit 7"))
			if c.want != "" {
				is.True(err != nil && strings.Contains(err.Error(), c.want))
			} else {
				is.NoErr(err)
				is.Equal(wait(t, x).ExitStatus(), 7)
				shut(t, x)
			}
			is.NoErr(s.Close())
			is.Equal(len(list(t, s.TempDir)), 0)
		})
	}
}

func TestASharedServerThatIsRestarted(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	theirs := tmuxtest.New(t)
	restart := func() {
		t.Helper()
		_, err := theirs.Tmux(t.Context(), "new-session", "-d", "-s", "theirs", "/bin/sh", "-c", "exec cat")
		is.NoErr(err)
	}
	restart()
	s := &tmuxctl.Server{Tmux: theirs.Path, Shared: theirs.Socket, TempDir: shortDir(t)}
	// It survives its server, where another pane has its pane's number by then.
	x := open(t, s, script("turn", "trap '' HUP; echo up; while :; do sleep 0.05; done"))
	see(t, x, "up")
	out, err := theirs.Tmux(t.Context(), "display-message", "-p", "#{pid}")
	is.NoErr(err)
	_, err = theirs.Tmux(t.Context(), "kill-server")
	is.NoErr(err)
	var pid int
	fmt.Sscan(string(out), &pid)
	eventually(t, "their server to end", func() bool { return syscall.Kill(pid, 0) != nil })
	restart()
	_, err = theirs.Tmux(t.Context(), "new-window", "-t", "=theirs:", "/bin/sh", "-c", "exec cat")
	is.NoErr(err)
	is.True(alive(x))
	is.True(errors.Is(x.SendKeys(t.Context(), "x"), tmuxctl.ErrServerClosed))
	is.True(errors.Is(x.Paste(t.Context(), []byte("x")), tmuxctl.ErrServerClosed))
	shut(t, x)
	y := open(t, s, script("turn", "exec sleep 60"))
	_, err = theirs.Tmux(t.Context(), "kill-server")
	is.NoErr(err)
	wait(t, y)
	eventually(t, "being told so", func() bool {
		_, err = s.NewSession(t.Context(), script("turn", "exit 7"))
		return strings.Contains(fmt.Sprint(err), "start it")
	})
	restart()
	_, err = theirs.Tmux(t.Context(), "new-window", "-t", "=theirs:", "/bin/sh", "-c", "exec cat")
	is.NoErr(err)
	is.Equal(wait(t, open(t, s, script("turn", "exit 7"))).ExitStatus(), 7)
	is.NoErr(s.Close())
	out, err = theirs.Tmux(t.Context(), "list-panes", "-a", "-F", "#{session_name}")
	is.NoErr(err)
	is.Equal(string(out), "theirs\ntheirs\n")
	is.Equal(len(list(t, s.TempDir)), 0)
}

func TestASharedServerThatIsStopped(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	_, s := somebodys(t)
	x := open(t, s, script("turn", "exec sleep 60"))
	pid := serverPid(t, s)
	is.NoErr(syscall.Kill(pid, syscall.SIGSTOP))
	defer syscall.Kill(pid, syscall.SIGCONT)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	within(t, 10*time.Second, "Close on a stopped server", func() {
		// The program is gone all the same, and its session can be ended later.
		is.True(x.Close(ctx) != nil)
		is.True(!alive(x))
	})
	is.NoErr(syscall.Kill(pid, syscall.SIGCONT)) // which is its owner's to do
	shut(t, x)
}

func TestASharedServerThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	tmux := tmuxtest.Require(t)
	dir := shortDir(t)
	plain, stale := filepath.Join(dir, "plain"), filepath.Join(dir, "stale")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: stale})
		syscall.Close(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		socket string
		is     error
		want   string
	}{
		"missing":   {filepath.Join(dir, "none"), fs.ErrNotExist, "start it"},
		"relative":  {"s", nil, "absolute path"},
		"no socket": {plain, nil, "not a socket"},
		"stale":     {stale, nil, "start it"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s := &tmuxctl.Server{Tmux: tmux, Shared: tt.socket, TempDir: shortDir(t)}
			_, err := s.NewSession(t.Context(), script("turn", "exit"))
			is.True(err != nil)
			is.True(tt.is == nil || errors.Is(err, tt.is))
			is.True(strings.Contains(err.Error(), tt.want))
			is.NoErr(s.Close())
			is.Equal(len(list(t, s.TempDir)), 0)
		})
	}
	if names := list(t, dir); !slices.Equal(names, []string{"plain", "stale"}) {
		t.Errorf("the directory of the sockets has %q", names)
	}
}

// shareArg makes the test binary a host that shares a server: it runs sessions,
// or opens one and waits to be killed.
const shareArg = "tmuxctl-test-share"

func share(what, tmux, socket, dir string) {
	s := &tmuxctl.Server{Tmux: tmux, Shared: socket, TempDir: dir}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for i := range 3 {
		text := fmt.Sprintf("exit %d", 10+i)
		if what == "hang" {
			text = "trap '' HUP TERM; while :; do sleep 1; done"
		}
		x, err := s.NewSession(ctx, script("turn", text))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if what == "hang" {
			fmt.Println(x.Pid())
			select {}
		}
		<-x.Done()
		if x.Status().ExitStatus() != 10+i {
			fmt.Printf("%#x instead of %d\n", x.Status(), 10+i)
			os.Exit(1)
		}
		if err := x.Close(ctx); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	if err := s.Close(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// host is a process of the test binary that shares the server.
func host(t *testing.T, what string, s *tmuxctl.Server) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, shareArg, what, s.Tmux, s.Shared, s.TempDir)
	// The race detector makes a program sleep for a second when it ends.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "TMPDIR=" + s.TempDir, "GORACE=atexit_sleep_ms=0"}
	return cmd
}

func TestTwentyProcessesShareAServer(t *testing.T) {
	t.Parallel()
	_, s := somebodys(t)
	within(t, 5*time.Minute, "60 sessions of 20 processes", func() {
		said := make(chan string)
		for range 20 {
			cmd := host(t, "run", s)
			go func() {
				out, err := cmd.CombinedOutput()
				if err != nil {
					out = append(out, err.Error()...)
				}
				said <- string(out)
			}()
		}
		for range 20 {
			if out := <-said; out != "" {
				t.Error(out)
			}
		}
	})
}

// A host dies: its program ends within seconds though it ignores SIGHUP, and the
// next sweep ends the session.
func TestAHostOfASharedServerDies(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	theirs, s := somebodys(t)
	cmd := host(t, "hang", s)
	out, err := cmd.StdoutPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	is.NoErr(err)
	var pid int
	if _, err := fmt.Sscan(line, &pid); err != nil || pid <= 1 {
		rest, _ := io.ReadAll(out)
		t.Fatalf("%s%s", line, rest)
	}
	is.NoErr(cmd.Process.Kill())
	cmd.Wait()
	within(t, 5*time.Second, "the program's end", func() {
		eventually(t, "the program's end", func() bool {
			state, _ := theirs.Tmux(t.Context(), "list-panes", "-a", "-F", "#{pane_pid} #{pane_dead}")
			return strings.Contains(string(state), fmt.Sprint(pid, " 1")) || !strings.Contains(string(state), fmt.Sprint(pid))
		})
	})
	eventually(t, "the sweep", func() bool {
		_, err := reaper.Sweep(t.Context(), reaper.SweepConfig{Dirs: []string{s.TempDir}})
		return err == nil && len(list(t, s.TempDir)) == 0
	})
}
