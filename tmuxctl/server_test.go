package tmuxctl_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/exectest"
	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/tmuxctl"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

func serverPid(t *testing.T, s *tmuxctl.Server) int {
	t.Helper()
	out, err := s.Run(t.Context(), "display-message", "-p", "#{pid}")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || pid <= 1 {
		t.Fatalf("server pid %q", out)
	}
	return pid
}

// patience is for what hangs: no test waits for it, and a busy machine may take
// long.
const patience = 2 * time.Minute

// within fails the test if something takes longer than limit. That is judged with
// TUITURN_LONG=1, on a quiet machine; else only whether it hung.
func within(t *testing.T, limit time.Duration, what string, do func()) {
	t.Helper()
	if os.Getenv("TUITURN_LONG") == "" {
		limit = max(limit, patience)
	}
	began := time.Now()
	do()
	if took := time.Since(began); took > limit {
		t.Errorf("%s took %v", what, took)
	}
}

func TestZeroServer(t *testing.T) {
	tmuxtest.Require(t)
	is := is.New(t)
	var s tmuxctl.Server
	is.Equal(s.Socket(), "")
	noSessions(t, &s)
	_, err := s.Run(t.Context(), "list-sessions")
	is.True(errors.Is(err, tmuxctl.ErrServerClosed)) // none has been started
	_, err = s.Run(t.Context())
	is.True(err != nil)

	x := open(t, &s, script("turn", "exit 7"))
	is.Equal(wait(t, x).ExitStatus(), 7)
	dir := filepath.Dir(s.Socket())
	info, err := os.Stat(dir)
	is.NoErr(err)
	is.Equal(info.Mode(), os.ModeDir|0o700)
	is.NoErr(s.Close())
	_, err = os.Stat(dir)
	is.True(os.IsNotExist(err))
}

func TestClose(t *testing.T) {
	is := is.New(t)
	s, x := turn(t, "exec sleep 60")
	pid, dir := serverPid(t, s), filepath.Dir(s.Socket())
	for range 2 {
		is.NoErr(s.Close())
		_, running := proc.StartTime(pid)
		is.True(!running)
		_, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		is.Equal(err, syscall.ECHILD) // and reaped, if it was our child
		_, err = os.Stat(dir)
		is.True(os.IsNotExist(err))
	}
	is.True(wait(t, x).Signaled())
	_, err := s.NewSession(t.Context(), script("turn", "exit"))
	is.True(errors.Is(err, tmuxctl.ErrServerClosed))
}

func TestCloseMeetsNewSession(t *testing.T) {
	t.Parallel()
	tmux := tmuxtest.Require(t)
	is := is.New(t)
	dir := shortDir(t)
	for i := range 30 {
		s := &tmuxctl.Server{Tmux: tmux, TempDir: dir}
		if i%2 == 0 { // on a server that runs, or with one that starts
			x, err := s.NewSession(t.Context(), script("first", "exec sleep 60"))
			is.NoErr(err)
			defer shut(t, x)
		}
		started := make(chan *tmuxctl.Session, 1)
		go func() {
			x, err := s.NewSession(t.Context(), script("turn", "exec sleep 60"))
			if err != nil && !errors.Is(err, tmuxctl.ErrServerClosed) {
				t.Errorf("round %d: %v", i, err)
			}
			started <- x
		}()
		time.Sleep(time.Duration(i) * time.Millisecond / 2)
		is.NoErr(s.Close())
		if x := <-started; x != nil {
			wait(t, x)
			shut(t, x)
		}
		is.Equal(len(list(t, dir)), 0)
		// A pane that was being made has still to notice.
		eventually(t, "server, client and pane to go", func() bool { return len(commandLines(dir)) == 0 })
	}
}

func TestACancelledServerStartLeavesNothing(t *testing.T) {
	t.Parallel()
	tmux := tmuxtest.Require(t)
	is := is.New(t)
	dir := shortDir(t)
	for i := range 40 {
		s := &tmuxctl.Server{Tmux: tmux, TempDir: dir}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
		x, err := s.NewSession(ctx, script("turn", "exec sleep 60"))
		cancel()
		if err == nil {
			shut(t, x)
		}
		is.NoErr(s.Close())
		is.Equal(len(list(t, dir)), 0)
		eventually(t, "server, client and pane to go", func() bool { return len(commandLines(dir)) == 0 })
	}
}

func TestAServerThatIsKilledIsReplaced(t *testing.T) {
	is := is.New(t)
	s, old := turn(t, "exec sleep 60")
	dir := filepath.Dir(s.Socket())
	is.NoErr(syscall.Kill(serverPid(t, s), syscall.SIGKILL))
	// At once: the news may not have reached us.
	x := open(t, s, script("turn", "exec sleep 60"))
	is.True(wait(t, old).Signaled())
	_, err := os.Stat(dir)
	is.True(os.IsNotExist(err))

	// The new session has the old one's name and id, on another server.
	shut(t, old)
	_, err = old.Screen(t.Context())
	is.True(errors.Is(err, os.ErrProcessDone))
	is.True(errors.Is(err, tmuxctl.ErrServerClosed))
	is.True(alive(x))
	names, err := s.Sessions(t.Context())
	is.NoErr(err)
	is.Equal(names, []string{"turn"})
}

// Sessions of one name on several servers are not each other's.
func TestServersDoNotMeet(t *testing.T) {
	is := is.New(t)
	one := open(t, newServer(t), script("turn", "trap '' HUP; exec sleep 60"))
	other := open(t, newServer(t), script("turn", "exec sleep 60"))
	shut(t, one)
	is.True(!alive(one))
	is.True(alive(other))
}

func TestCloseOfAStoppedServer(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, x := turn(t, "exec sleep 60")
	is.NoErr(syscall.Kill(serverPid(t, s), syscall.SIGSTOP))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := x.Screen(ctx)
	is.True(errors.Is(err, context.DeadlineExceeded))
	within(t, 5*time.Second, "closing the session", func() { is.NoErr(x.Close(ctx)) })
	is.Equal(x.Status().Signal(), syscall.SIGKILL) // as the server, which goes on, has told
	noSessions(t, s)
	is.NoErr(syscall.Kill(serverPid(t, s), syscall.SIGSTOP))
	within(t, 5*time.Second, "closing the server", func() { is.NoErr(s.Close()) })
}

func TestCloseInterruptsAStartOnAStoppedServer(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newServer(t)
	open(t, s, script("first", "exec sleep 60"))
	is.NoErr(syscall.Kill(serverPid(t, s), syscall.SIGSTOP))
	failed := make(chan error, 1)
	go func() {
		_, err := s.NewSession(context.Background(), script("turn", "exec sleep 60"))
		failed <- err
	}()
	eventually(t, "the FIFO of the new session", func() bool { return len(list(t, filepath.Dir(s.Socket()))) > 1 })
	within(t, 5*time.Second, "closing the server", func() { is.NoErr(s.Close()) })
	is.True(<-failed != nil)
}

// A program's environment stands in no place that another user, or a person who
// looks on, could read: at no time, so the process table is read all the while.
func TestSecretsShowNowhere(t *testing.T) {
	is := is.New(t)
	s := newServer(t)
	secret := fmt.Sprintf("dummy-%d-%d", os.Getpid(), time.Now().UnixNano())
	looked := make(chan []string)
	stop := make(chan struct{})
	go func() {
		var seen []string
		for {
			seen = append(seen, commandLines(secret)...)
			select {
			case <-stop:
				looked <- seen
				return
			default:
			}
		}
	}()
	for i := range 5 {
		cfg := script(fmt.Sprint("turn-", i), `printf '<%s>' "${#TOKEN}"; exec sleep 60`, "TOKEN="+secret)
		see(t, open(t, s, cfg), fmt.Sprintf("<%d>", len(secret))) // it did arrive
	}
	close(stop)
	is.Equal(len(<-looked), 0)
	for _, question := range [][]string{
		{"list-panes", "-a", "-F", "#{pane_start_command} #{pane_current_command} #{pane_title}"},
		{"show-environment", "-g"},
		{"show-environment", "-t", "=turn-0"},
		{"list-buffers"},
		{"show-messages"},
	} {
		out, err := s.Run(t.Context(), question...)
		if err != nil && question[0] == "show-messages" {
			continue // wants a client
		}
		is.NoErr(err)
		is.True(!strings.Contains(string(out), secret)) // tmux does not know it
	}
	is.Equal(list(t, filepath.Dir(s.Socket())), []string{"lease", "s"}) // nor is it in a file
}

func TestTheUsersTmuxChangesNothing(t *testing.T) {
	tmuxtest.Require(t)
	is := is.New(t)
	home, dir := t.TempDir(), shortDir(t)
	mark := filepath.Join(home, "mark")
	conf := fmt.Sprintf("set -g base-index 7\nset -g destroy-unattached on\nset -g default-shell /bin/false\n"+
		"set -g status on\nset-hook -g session-created 'run-shell \"touch %s\"'\nrun-shell 'touch %s'\n", mark, mark)
	is.NoErr(os.WriteFile(filepath.Join(home, ".tmux.conf"), []byte(conf), 0o600))
	is.NoErr(os.MkdirAll(filepath.Join(home, "tmux"), 0o700))
	is.NoErr(os.WriteFile(filepath.Join(home, "tmux", "tmux.conf"), []byte(conf), 0o600))
	for name, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": home, "SHELL": "/usr/sbin/nologin", "TMUX": "/nonexistent/s,1,0",
		"TMUX_PANE": "%9", "TMUX_TMPDIR": dir, "LC_ALL": "C", "TERM": "dumb", "ENV": mark,
	} {
		t.Setenv(name, value)
	}
	s := newServer(t)
	file := filepath.Join(t.TempDir(), "env")
	x := open(t, s, script("turn", `stty size; env >"$FILE"; echo up é; exec sleep 60`, "FILE="+file))
	see(t, x, "40 120\nup é")
	env, err := os.ReadFile(file)
	is.NoErr(err)
	for _, stranger := range []string{home, dir, "nologin", "/nonexistent", "LC_ALL", "dumb"} {
		is.True(!strings.Contains(string(env), stranger))
	}
	index, err := s.Run(t.Context(), "show-options", "-gv", "base-index")
	is.NoErr(err)
	is.Equal(string(index), "0\n")
	_, err = os.Stat(mark)
	is.True(os.IsNotExist(err)) // nothing of the configuration ran
	is.Equal(len(list(t, dir)), 0)
}

func TestServerThatCannotStart(t *testing.T) {
	old := filepath.Join(t.TempDir(), "tmux")
	exectest.Write(t, old, "#!/bin/sh\necho 'tmux: unknown option; usage: tmux [-V]' >&2\nexit 1\n")
	deaf := filepath.Join(t.TempDir(), "tmux")
	exectest.Write(t, deaf, "#!/bin/sh\nexec sleep 60\n")
	long := filepath.Join(shortDir(t), strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	short := shortDir(t)
	for name, c := range map[string]struct {
		server *tmuxctl.Server
		is     error
		want   []string
	}{
		"tmux is missing":            {&tmuxctl.Server{Tmux: "tuiturn-no-such-tmux", TempDir: short}, exec.ErrNotFound, []string{"tuiturn-no-such-tmux", "install tmux 2.6"}},
		"tmux is too old":            {&tmuxctl.Server{Tmux: old, TempDir: short}, nil, []string{"tmux 2.6 or later", "unknown option"}},
		"tmux does not listen":       {&tmuxctl.Server{Tmux: deaf, TempDir: short}, context.DeadlineExceeded, []string{"starting tmux"}},
		"the socket's name too long": {&tmuxctl.Server{Tmux: old, TempDir: long}, nil, []string{long, "set Server.TempDir to a shorter path"}},
		"the directory is missing":   {&tmuxctl.Server{Tmux: old, TempDir: long + "0"}, os.ErrNotExist, []string{long + "0", "Server.TempDir"}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			var err error
			within(t, 3*time.Second, "failing", func() { _, err = c.server.NewSession(ctx, script("turn", "exit")) })
			is.True(err != nil)
			is.True(c.is == nil || errors.Is(err, c.is))
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			is.Equal(len(list(t, short)), 0)
			is.Equal(len(list(t, long)), 0)
			is.NoErr(c.server.Close())
		})
	}
}
