package tmuxctl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// startTestInstance starts a server that ends with the test.
// patience is for what hangs: no test waits for it.
const patience = 2 * time.Minute

func startTestInstance(t testing.TB) *instance {
	t.Helper()
	tmux := tmuxtest.Require(t)
	dir, err := os.MkdirTemp("", "tt-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	in, err := startInstance(t.Context(), tmux, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.end(); err != nil {
			t.Error(err)
		}
	})
	return in
}

// list is a command that anything may be done with.
func list(t *testing.T) controlLine {
	line, ok := newControlLine([]string{"list-sessions", "-F", "#{session_name}"})
	if !ok {
		t.Fatal("list-sessions was refused")
	}
	return line
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
	}
}

// Both ways give the same answers and the same errors.
func TestControlIsAsAProcess(t *testing.T) {
	in := startTestInstance(t)
	_, err := in.run(t.Context(), nil, "new-session", "-d", "-s", "one", "-x", "30", "-y", "5", "-c", "/",
		"/bin/sh", "-c", `printf 'é %%end\n\n  %%begin 1 2 1\n%%output'; exec sleep 60`)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the text", func() bool {
		out, err := in.run(t.Context(), nil, "capture-pane", "-p", "-t", "=one:")
		return err == nil && strings.Contains(string(out), "%output")
	})
	for _, args := range [][]string{
		{"list-sessions", "-F", "#{session_name} it's \"é\" #{?session_attached,$HOME,~}"},
		{"list-sessions", "-F", ""},
		{"list-panes", "-a", "-F", "#{session_name} #{pane_start_command}\n#{pane_width}"},
		{"capture-pane", "-p", "-t", "=one:"},
		{"capture-pane", "-p", "-t", "=" + keeper + ":"},
		{"display-message", "-p", "-t", "=one:", "#{window_width}x#{window_height} 100%"},
		{"display-message", "-p", "-t", "%99", "#{pane_dead} #{pane_id}"},
		{"show-options", "-g", "-v", "history-limit"},
		{"has-session", "-t", "=one"},
		{"has-session", "-t", "=on"},
		{"kill-session", "-t", "$99"},
		{"send-keys", "-t", "%99", "Enter"},
		{"new-session", "-d", "-s", "one"},
		{"set-option", "-g", "no-such-option", "on"},
		{"has-session", "-t", "=one", ";", "has-session", "-t", "=two", ";", "kill-session", "-t", "=one"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			is := is.New(t)
			line, ok := newControlLine(args)
			is.True(ok)
			out, err := in.control.do(t.Context(), line)
			processOut, processErr := in.process(t.Context(), nil, args...)
			is.Equal(string(out), string(processOut))
			is.Equal(err, processErr)
		})
	}
	if _, err := in.run(t.Context(), nil, "has-session", "-t", "=one"); err != nil {
		t.Errorf("a command after one that failed was carried out: %v", err)
	}
}

func TestControlServesManyAtOnce(t *testing.T) {
	in := startTestInstance(t)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 50 {
				want := fmt.Sprint(i, "-", j)
				got, err := in.run(t.Context(), nil, "list-sessions", "-F", want)
				if err != nil || string(got) != want+"\n" {
					t.Errorf("asked for %s: %q, %v", want, got, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// A connection that is lost is not replaced: processes serve from then on.
func TestControlIsLost(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *instance){
		"the client is killed": func(t *testing.T, in *instance) { in.control.cmd.Process.Kill() },
		"the client is detached": func(t *testing.T, in *instance) {
			in.process(t.Context(), nil, "detach-client", "-s", "="+keeper)
		},
		"the keeper is killed": func(t *testing.T, in *instance) {
			in.process(t.Context(), nil, "kill-session", "-t", "="+keeper)
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			in := startTestInstance(t)
			_, err := in.run(t.Context(), nil, "new-session", "-d", "-s", "one", "-c", "/", "/bin/sh", "-c", "exec sleep 60")
			is.NoErr(err)
			lose(t, in)
			select {
			case <-in.control.gone: // by itself
			case <-time.After(patience):
				t.Fatal("the loss was not noticed")
			}
			is.True(in.control.cmd.ProcessState != nil) // the client has been waited for
			_, err = in.control.do(t.Context(), list(t))
			is.Equal(err, errNotSent)
			out, err := in.run(t.Context(), nil, "list-sessions", "-F", "#{session_name}")
			is.NoErr(err)
			is.True(strings.HasSuffix(string(out), "one\n"))
		})
	}
}

// A command whose connection was lost is done again only if it may be.
func TestControlNeverRepeatsWhatMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	in := startTestInstance(t)
	// A client that passes one command on and is then lost without an answer.
	losing := filepath.Join(t.TempDir(), "tmux")
	is.NoErr(os.WriteFile(losing, []byte(`#!/bin/sh
# It is asked first whether it is ready.
{ for i in 1 2; do IFS= read -r line; printf '%s\n' "$line"; done; sleep 0.2; } |
"$TMUX_BINARY" "$@" | { sed -u '/-1$/{n;q}'; exec cat >/dev/null; }
`), 0o700))
	lose := func() {
		in.control.close()
		cmd := in.client(context.Background(), "-C", "attach-session", "-t", "="+keeper)
		cmd.Path = losing
		cmd.Env = append(slices.Clip(cmd.Env), "TMUX_BINARY="+in.tmux)
		var err error
		in.control, err = dialControl(t.Context(), cmd)
		is.NoErr(err)
	}

	lose()
	out, err := in.run(t.Context(), nil, "list-sessions", "-F", "#{session_name}")
	is.NoErr(err) // by a process
	is.Equal(string(out), keeper+"\n")

	lose()
	_, err = in.run(t.Context(), nil, "new-session", "-d", "-s", "twice", "-c", "/", "/bin/sh", "-c", "exec sleep 60")
	is.True(errors.Is(err, errNoAnswer))
	is.True(!strings.Contains(err.Error(), "duplicate")) // was not tried again
	_, err = in.process(t.Context(), nil, "has-session", "-t", "=twice")
	is.NoErr(err) // it had been done

	// A session of which nobody learned is ended.
	lose()
	s := &Server{Tmux: in.tmux, current: in}
	_, err = s.NewSession(t.Context(), SessionConfig{Name: "lost", Command: Command{Path: "/bin/sh", Dir: "/"}})
	is.True(errors.Is(err, errNoAnswer))
	_, err = in.run(t.Context(), nil, "has-session", "-t", "=lost")
	is.True(err != nil && strings.Contains(err.Error(), "can't find session"))
}

// Also against a server that is stopped the wait ends with the context, and the
// answer that comes late is nobody's.
func TestControlOnAStoppedServer(t *testing.T) {
	is := is.New(t)
	in := startTestInstance(t)
	_, err := in.control.do(t.Context(), list(t))
	is.NoErr(err)
	is.NoErr(in.server.Signal(syscall.SIGSTOP))
	defer in.server.Signal(syscall.SIGCONT)
	cause := errors.New("of the test")
	for range 3 { // before an answer, and while others wait for theirs
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, cause)
		began := time.Now()
		_, err := in.run(ctx, nil, "display-message", "-p", "-t", keeper, "late")
		cancel()
		is.True(errors.Is(err, cause))
		is.True(time.Since(began) < patience)
	}
	is.NoErr(in.server.Signal(syscall.SIGCONT))
	out, err := in.run(t.Context(), nil, "display-message", "-p", "-t", keeper, "in time")
	is.NoErr(err)
	is.Equal(string(out), "in time\n")
	out, err = in.control.do(t.Context(), list(t)) // the connection is the same
	is.NoErr(err)
	is.Equal(string(out), keeper+"\n")

	// One that does not answer for long is given up.
	is.NoErr(in.server.Signal(syscall.SIGSTOP))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = in.control.do(ctx, list(t))
	is.Equal(err, context.DeadlineExceeded)
	is.True(!in.control.isLost())
	in.control.mu.Lock()
	in.control.call.sent = time.Now().Add(-2 * overdue)
	in.control.mu.Unlock()
	_, err = in.control.do(ctx, list(t))
	is.True(err != nil)
	is.True(in.control.isLost())
	is.NoErr(in.server.Signal(syscall.SIGCONT))
	out, err = in.run(t.Context(), nil, "display-message", "-p", "-t", keeper, "by a process")
	is.NoErr(err)
	is.Equal(string(out), "by a process\n")
}

func TestControlOfAServerThatHasEnded(t *testing.T) {
	is := is.New(t)
	in := startTestInstance(t)
	_, err := in.control.do(t.Context(), list(t))
	is.NoErr(err)
	is.NoErr(in.server.Signal(syscall.SIGKILL))
	for range 2 {
		_, err = in.run(t.Context(), nil, "send-keys", "-t", "%0", "Enter")
		is.True(errors.Is(err, ErrServerClosed))
	}
	<-in.control.gone // by itself
}

// A client that found its server gone may have started another one, on a tmux
// that knows no -N.
func TestAStrayServerIsEnded(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	in := startTestInstance(t)
	in.control.close()
	is.NoErr(in.server.Signal(syscall.SIGKILL))
	<-in.ended
	in.ended = make(chan struct{}) // we have not noticed
	s := &Server{Tmux: in.tmux, current: in}
	_, err := s.NewSession(t.Context(), SessionConfig{Name: "stray", Command: Command{Path: "/bin/sh", Dir: "/"}})
	is.True(err != nil)
	close(in.ended)
	until(t, "the stray server to end", func() bool {
		conn, err := net.Dial("unix", in.socket())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

func TestControlLeavesNothing(t *testing.T) {
	files := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return 0 // no Linux
		}
		return len(fds)
	}
	goroutines, open := runtime.NumGoroutine(), files()
	t.Run("a server", func(t *testing.T) {
		in := startTestInstance(t)
		if _, err := in.control.do(t.Context(), list(t)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a connection that was lost", func(t *testing.T) {
		in := startTestInstance(t)
		in.control.cmd.Process.Kill()
		<-in.control.gone
	})
	until(t, "goroutines and descriptors to go", func() bool {
		return runtime.NumGoroutine() <= goroutines && files() <= open
	})
}

func TestControlWithABadPeer(t *testing.T) {
	// A peer that answers what it is asked for is ready for a command.
	const ready = `read a b token; echo "%begin 1 1 1"; echo $token; echo "%end 1 1 1"; `
	for name, c := range map[string]struct {
		script string
		dial   error // nil: it answers, at first
		do     error
	}{
		"says nothing":              {"exec sleep 60", context.DeadlineExceeded, nil},
		"ends at once":              {"exit 1", errNotSent, nil},
		"refuses":                   {`echo "%begin 1 1 0"; echo no; echo "%error 1 1 0"`, errNotSent, nil},
		"leaves":                    {"echo %exit; exec sleep 60", errNotSent, nil},
		"talks nonsense":            {"exec yes", errNotSent, nil},
		"floods before it is ready": {"exec yes %x", context.DeadlineExceeded, nil},
		"ends":                      {ready + "exit", nil, errNotSent},
		"leaves when asked":         {ready + "read line; echo %exit; exec sleep 60", nil, errNoAnswer},
		"ends when asked":           {ready + "read line", nil, errNoAnswer},
		"talks nonsense when asked": {ready + "read line; echo what; exec sleep 60", nil, errNoAnswer},
		"swallows an answer": {ready + `read line; read a b token; echo "%begin 1 2 1"; echo; echo $token; exec sleep 60`,
			nil, errNoAnswer},
		"answers what was not asked": {ready + `echo "%begin 1 2 1"; echo "%end 1 2 1"; exec sleep 60`, nil, errNotSent},
		"answers without the token": {ready + `read line; echo "%begin 1 2 1"; echo "%end 1 2 1"; exec sleep 60`,
			nil, context.DeadlineExceeded},
		"stops in an answer":        {ready + `read line; echo "%begin 1 2 1"; exec sleep 60`, nil, context.DeadlineExceeded},
		"never reads":               {ready + "exec sleep 60", nil, context.DeadlineExceeded},
		"floods with notifications": {ready + "exec yes %x", nil, context.DeadlineExceeded},
		"floods with an answer":     {ready + `read line; echo "%begin 1 2 1"; exec yes $(seq 1000)`, nil, errNoAnswer},
		"floods with answers": {ready + `read line; exec yes "%begin 1 2 1
%end 1 2 1"`, nil, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			cmd := exec.Command("/bin/sh", "-c", c.script)
			cmd.Env = []string{"PATH=/usr/bin:/bin"}
			patience := 20 * time.Second
			if c.dial == context.DeadlineExceeded || c.do == context.DeadlineExceeded {
				patience = 2 * time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			client, err := dialControl(ctx, cmd)
			if c.dial != nil {
				is.True(errors.Is(err, c.dial) || c.dial == errNotSent && errors.Is(err, errNoAnswer))
				is.True(cmd.ProcessState != nil) // it has been waited for
				return
			}
			is.NoErr(err)
			defer client.close()
			if c.do == errNotSent {
				<-client.lost // by itself
			}
			line := controlLine{text: strings.Repeat("x", maxLine-1) + "\n"}
			_, err = client.do(ctx, line)
			is.Equal(err, c.do)
			if c.do == context.DeadlineExceeded { // the next waits its time, too
				_, err = client.do(ctx, line)
				is.Equal(err, context.DeadlineExceeded)
			}
		})
	}
}

func TestNotifications(t *testing.T) {
	is := is.New(t)
	in := startTestInstance(t)
	notices, stop := in.control.listen()
	_, err := in.run(t.Context(), nil, "new-session", "-d", "-s", "one", "/bin/sh")
	is.NoErr(err)
	deadline := time.After(patience)
	for heard := false; !heard; {
		select {
		case notice := <-notices:
			heard = notice == "%sessions-changed"
		case <-deadline:
			t.Fatal("the new session was not heard of")
		}
	}
	stop()

	// One that does not listen holds nobody up and is not remembered.
	var l listeners
	notices, stop = l.listen()
	for range 10 * maxNotices {
		l.tell("%x")
	}
	is.Equal(len(notices), maxNotices)
	stop()
	is.Equal(len(l.all), 0)
}
