package fakeagent

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// The agent in a private tmux: its screen is what a terminal emulator makes of
// it, and a paste comes the way tmux sends one.
func TestInTmux(t *testing.T) {
	t.Parallel()
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		t.Skip("no tmux on PATH")
	}
	is := is.New(t)
	// Not t.TempDir: a socket's path has room for about 100 bytes.
	dir, err := os.MkdirTemp("", "fa")
	is.NoErr(err)
	defer os.RemoveAll(dir)
	r := newHome(t, Script{AltScreen: true}, setup{})
	run := func(stdin string, args ...string) string {
		t.Helper()
		c := exec.Command(tmux, append([]string{"-u", "-S", filepath.Join(dir, "s"), "-f", "/dev/null"}, args...)...)
		c.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}
		c.Stdin = strings.NewReader(stdin)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %q: %v: %s", args, err, out)
		}
		return string(out)
	}
	// "env -i" and the agent's own words: nothing of tmux's environment but
	// what the agent needs.
	words := append([]string{"new-session", "-d", "-s", "a", "-x", "90", "-y", "25", "-c", r.dir, "/usr/bin/env", "-i"}, r.cmd.Env...)
	run("", append(append(words, r.cmd.Path), r.cmd.Args[1:]...)...)
	defer run("", "kill-server")

	wait := func(text string) string {
		t.Helper()
		return r.poll(text, func() (string, bool) {
			s := run("", "capture-pane", "-p", "-t", "=a:")
			return s, strings.Contains(s, text)
		})
	}
	s := wait("? for shortcuts")
	is.True(strings.Contains(s, strings.Repeat("─", 90)+"\n❯"))
	run("one\n\ttwo", "load-buffer", "-", ";", "paste-buffer", "-p", "-r", "-d", "-t", "=a:")
	wait("two")
	run("", "send-keys", "-t", "=a:", "Enter")
	is.Equal(only(r.over(1), "user")[0].text(), "one\n    two")
	wait("● You said: one")
}
