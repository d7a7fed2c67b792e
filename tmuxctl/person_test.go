package tmuxctl_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/tmuxctl"
)

// echo is a program that tells every byte it is sent, and the size of its
// terminal first.
const echo = `stty raw -echo; stty size; echo up
while :; do c=$(dd bs=1 count=1 2>/dev/null); printf '<%s>' "$c"; done`

// A person looks on with a client of their own, in a terminal of another size.
type person struct {
	terminal *os.File
	client   *exec.Cmd
	gone     chan struct{} // closed when the client has ended
}

// look attaches a person to a session.
func look(t *testing.T, s *tmuxctl.Server, x *tmuxctl.Session) *person {
	t.Helper()
	p := &person{
		client: exec.Command(s.Tmux, "-u", "-f", "/dev/null", "-S", s.Socket(), "attach-session", "-t", "="+x.Name()),
		gone:   make(chan struct{}),
	}
	p.client.Env, p.client.Dir = []string{"TERM=xterm", "LANG=C.UTF-8", "PATH=/usr/bin:/bin"}, "/"
	var err error
	if p.terminal, err = pty.StartWithSize(p.client, &pty.Winsize{Cols: 50, Rows: 12}); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.gone)
		io.Copy(io.Discard, p.terminal) // a screen that nobody reads would hold the client up
		p.client.Wait()
	}()
	t.Cleanup(func() {
		p.client.Process.Kill()
		<-p.gone
		p.terminal.Close()
	})
	eventually(t, "the person to be attached", func() bool { return attached(t, s) > 0 })
	return p
}

// attached is how many clients there are, besides our own connection.
func attached(t *testing.T, s *tmuxctl.Server) (n int) {
	t.Helper()
	out, err := s.Run(t.Context(), "list-clients", "-F", "#{client_session}")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.Lines(string(out)) {
		if name != "(tuiturn)\n" {
			n++
		}
	}
	return n
}

// pane is the first pane of a session, and the session's id.
func pane(t *testing.T, s *tmuxctl.Server, x *tmuxctl.Session) (pane, session string) {
	t.Helper()
	out, err := s.Run(t.Context(), "list-panes", "-t", "="+x.Name()+":", "-F", "#{pane_id} #{session_id}")
	if err == nil {
		_, err = fmt.Sscan(string(out), &pane, &session)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pane, session
}

func TestAPersonLooksOn(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, x := turn(t, echo)
	see(t, x, "40 120")
	see(t, x, "up")
	id, session := pane(t, s, x)
	p := look(t, s, x)

	tmux := func(args ...string) func() error {
		return func() error {
			_, err := s.Run(t.Context(), args...)
			return err
		}
	}
	size := func() string {
		out, err := s.Run(t.Context(), "display-message", "-p", "-t", id, "#{pane_width}x#{pane_height}")
		is.NoErr(err)
		return strings.TrimSpace(string(out))
	}
	for i, step := range []struct {
		name string
		do   func() error
	}{
		{"is attached", tmux("list-clients")},
		{"resizes", func() error { return pty.Setsize(p.terminal, &pty.Winsize{Cols: 90, Rows: 20}) }},
		{"types", func() error { _, err := p.terminal.WriteString("é"); return err }},
		{"copies", tmux("copy-mode", "-t", id)},
		{"chooses", tmux("choose-tree", "-t", id)},
		{"looks at the clock in the tree in copy mode", tmux("copy-mode", "-t", id, ";", "choose-tree", "-t", id, ";", "clock-mode", "-t", id)},
		{"copies by key", func() error { _, err := p.terminal.WriteString("\x02["); return err }},
		{"is asked by key", func() error { _, err := p.terminal.WriteString("\x02:"); return err }},
		{"renames the session", tmux("rename-session", "-t", session, "my-own")},
		{"makes a window and selects it", tmux("new-window", "-t", session, "/bin/sh", "-c", "read x")},
		{"detaches", tmux("detach-client", "-s", session)},
	} {
		is.NoErr(step.do()) // step
		within(t, 5*time.Second, step.name, func() {
			key, text := string(rune('a'+i)), string(rune('A'+i))
			is.NoErr(x.SendKeys(t.Context(), key))
			see(t, x, "<"+key+">")
			tmux("copy-mode", "-t", id)()
			is.NoErr(x.Paste(t.Context(), []byte(text)))
			see(t, x, "<"+text+">")
			n, err := x.Unread(t.Context())
			is.NoErr(err)
			is.Equal(n, 0)
			if got := size(); got != "120x40" {
				t.Errorf("when a person %s the pane has %s", step.name, got)
			}
		})
	}
	select {
	case <-p.gone:
	case <-time.After(patience):
		t.Error("the person was not detached")
	}

	// A pane beside ours takes room, and that is all.
	is.NoErr(tmux("split-window", "-t", id, "/bin/sh", "-c", "read x")())
	is.NoErr(x.SendKeys(t.Context(), "y"))
	see(t, x, "<y>")
	is.Equal(size(), "120x20")
	is.NoErr(tmux("kill-pane", "-a", "-t", id)())
	is.Equal(size(), "120x40")

	// A person makes the window small.
	is.NoErr(tmux("resize-window", "-t", id, "-x", "20", "-y", "4")())
	is.Equal(size(), "20x4")
	// tmux tells the terminal up to 0.25 s later. A look before that sees the old size.
	eventually(t, "the window to have its size again", func() bool {
		_, err := x.Screen(t.Context())
		is.NoErr(err)
		return size() == "120x40"
	})

	var other int
	out, err := s.Run(t.Context(), "list-panes", "-s", "-t", session, "-F", "#{pane_pid} #{pane_id}")
	is.NoErr(err)
	for line := range strings.Lines(string(out)) {
		if !strings.HasSuffix(line, id+"\n") {
			fmt.Sscan(line, &other)
		}
	}
	is.True(other > 1) // the program in the person's window
	shut(t, x)
	is.Equal(wait(t, x).Signal(), syscall.SIGHUP)
	noSessions(t, s)
	eventually(t, "the other window's program to end", func() bool { return syscall.Kill(other, 0) != nil })
}

// A session that begins while a person looks on at another is not of the size
// of that person's terminal.
func TestAPersonLooksOnElsewhere(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	look(t, s, open(t, s, script("first", "exec sleep 60")))
	cfg := script("turn", "stty size; exec sleep 60")
	cfg.Cols, cfg.Rows = 33, 7
	see(t, open(t, s, cfg), "7 33")
}

func TestAPersonLooksOnWhenTheServerEnds(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, x := turn(t, "exec sleep 60")
	p := look(t, s, x)
	within(t, 3*time.Second, "closing the server", func() { is.NoErr(s.Close()) })
	select {
	case <-p.gone:
	case <-time.After(patience):
		t.Error("the person's client stays")
	}
	is.True(wait(t, x).Signaled())
}

// A person starts another program in the pane of ours, which is ended by that.
// The other is not ours, but its session is.
func TestAPersonRespawnsThePane(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s, x := turn(t, "exec sleep 60")
	id, _ := pane(t, s, x)
	_, err := s.Run(t.Context(), "respawn-pane", "-k", "-t", id, "/bin/sh", "-c", "echo other; exec sleep 60")
	is.NoErr(err)
	within(t, 4*time.Second, "learning of the end", func() { is.Equal(wait(t, x).Signal(), syscall.SIGHUP) })
	is.True(errors.Is(x.SendKeys(t.Context(), "C-c"), os.ErrProcessDone)) // not the other's
	is.True(errors.Is(x.Paste(t.Context(), []byte("text")), os.ErrProcessDone))
	out, err := s.Run(t.Context(), "list-panes", "-t", "=turn:", "-F", "#{pane_pid}")
	is.NoErr(err)
	var other int
	_, err = fmt.Sscan(string(out), &other)
	is.NoErr(err)
	shut(t, x)
	eventually(t, "the other program to end", func() bool { return syscall.Kill(other, 0) != nil })
	noSessions(t, s)
}
