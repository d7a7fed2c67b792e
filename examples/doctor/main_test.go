package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/examples/internal/killedhost"
	"github.com/tuiturn/tuiturn/internal/exectest"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

func TestMain(m *testing.M) {
	tmuxtest.PlayAgent()
	killedhost.Play()
	os.Exit(m.Run())
}

const token = "sk-ant-oat01-a-dummy-for-tests-AbCdEfGhIjKl"

// A host is a machine to be examined: healthy, with an agent and with tmux where
// there is one.
type host struct {
	t                   *testing.T
	home, work, tempDir string
	environ             []string
	agent               *tmuxtest.Agent
}

func newHost(t *testing.T, turns ...tmuxtest.Turn) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "dr-") // short: a tmux server's socket is made below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &host{t: t, home: dir + "/me", work: dir + "/work", tempDir: dir + "/t", agent: tmuxtest.NewAgent(t, turns...)}
	for _, dir := range []string{h.home, h.work, h.tempDir} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h.environ = []string{
		"PATH=" + filepath.Dir(h.agent.Path) + ":/usr/bin:/bin",
		"CLAUDE_CODE_OAUTH_TOKEN=" + token,
	}
	return h
}

func (h *host) doctor(args ...string) (status int, stdout string) {
	h.t.Helper()
	var out, errs bytes.Buffer
	d := doctor{home: h.home, environ: h.environ, stdout: &out, stderr: &errs}
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Minute)
	defer cancel()
	status = d.run(ctx, append([]string{"-workdir", h.work, "-tempdir", h.tempDir}, args...))
	if errs.Len() > 0 {
		h.t.Errorf("standard error: %s", errs.String())
	}
	if strings.Contains(out.String(), token) {
		h.t.Error("the token is printed")
	}
	return status, out.String()
}

// checks are the rows by name.
func (h *host) checks(args ...string) (status int, checks map[string]check) {
	h.t.Helper()
	status, out := h.doctor(append(args, "-json")...)
	var got struct {
		OK     bool
		Checks []check
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || strings.Count(out, "\n") != 1 {
		h.t.Fatalf("%v: %s", err, out)
	}
	checks = map[string]check{}
	wrong := false
	for _, c := range got.Checks {
		checks[c.Name] = c
		wrong = wrong || c.Status == wrongStatus
		if (c.Status == okStatus) != (c.Do == "") {
			h.t.Errorf("%s is %s and says to do %q", c.Name, c.Status, c.Do)
		}
	}
	if wrong != (status == 1) || wrong == got.OK {
		h.t.Errorf("status %d, ok %v: %s", status, got.OK, out)
	}
	return status, checks
}

// only fails unless these rows alone, and tmux where there is none, are not ok.
func (h *host) only(checks map[string]check, names ...string) {
	h.t.Helper()
	for _, c := range checks {
		expected := c.Name == "tmux" && c.Status == noteStatus
		for _, name := range names {
			expected = expected || c.Name == name
		}
		if expected == (c.Status == okStatus) && c.Name != "tmux" {
			h.t.Errorf("%+v", c)
		}
	}
}

func TestAHealthyHost(t *testing.T) {
	is := is.New(t)
	h := newHost(t)
	status, checks := h.checks()
	is.Equal(status, 0)
	h.only(checks)
	is.True(strings.Contains(checks["agent"].Found, "claude 2.1.332 in "+h.agent.Path+": a tested version"))
	is.True(strings.HasPrefix(checks["home"].Found, "isolated home"))
	is.True(strings.HasPrefix(checks["credential"].Found, "CLAUDE_CODE_OAUTH_TOKEN in the environment wins"))
	for _, dir := range []string{h.home, h.tempDir, h.work} {
		left, err := os.ReadDir(dir)
		is.NoErr(err)
		is.Equal(len(left), 0) // nothing was changed
	}

	status, out := h.doctor()
	is.Equal(status, 0)
	is.True(strings.HasPrefix(out, "ok "))
	is.True(strings.Contains(out, " agent "))
	is.True(!strings.Contains(out, "WRONG"))
}

func TestWithTmux(t *testing.T) {
	tmuxtest.Require(t)
	is := is.New(t)
	h := newHost(t)
	_, checks := h.checks("-terminal", "tmux")
	is.Equal(checks["tmux"].Status, okStatus)
	is.True(strings.HasPrefix(checks["tmux"].Found, "tmux "))
	is.True(strings.Contains(checks["tmux"].Found, "FIFO"))
}

func TestALiveTurn(t *testing.T) {
	is := is.New(t)
	h := newHost(t, tmuxtest.Turn{Answer: "ready"}, tmuxtest.Turn{Status: 401}, tmuxtest.Turn{Dialog: true})
	status, checks := h.checks("-live")
	is.Equal(status, 0)
	is.True(strings.HasPrefix(checks["a turn"].Found, `"ready" from `))
	is.Equal(h.agent.Prompts(0)[0].WorkDir, h.work)

	status, checks = h.checks("-live")
	is.Equal(status, 1)
	h.only(checks, "a turn")
	is.True(strings.Contains(checks["a turn"].Do, "claude setup-token"))

	status, out := h.doctor("-live")
	is.Equal(status, 1)
	is.True(strings.Contains(out, "WRONG  a turn"))
	is.True(strings.Contains(out, " | ")) // the screen
	is.True(strings.Contains(out, "A survey about your weather"))
}

func TestNoTmux(t *testing.T) {
	is := is.New(t)
	h := newHost(t)
	t.Setenv("PATH", t.TempDir())
	status, checks := h.checks()
	is.Equal(status, 0) // there is a pty
	is.Equal(checks["tmux"].Status, noteStatus)
	status, checks = h.checks("-terminal", "tmux")
	is.Equal(status, 1)
	is.Equal(checks["tmux"].Status, wrongStatus)
	is.True(strings.Contains(checks["tmux"].Do, "install tmux"))
}

func TestATmuxThatDoesNotWork(t *testing.T) {
	is := is.New(t)
	h := newHost(t)
	dir := t.TempDir()
	is.NoErr(os.Symlink("/bin/sh", filepath.Join(dir, "tmux")))
	t.Setenv("PATH", dir)
	status, checks := h.checks()
	is.Equal(status, 1)
	h.only(checks, "tmux")
	is.Equal(checks["tmux"].Status, wrongStatus)
}

// What the doctor takes for short enough is that for a Runner.
func TestALongTemporaryDirectory(t *testing.T) {
	tmuxtest.Require(t)
	is := is.New(t)
	h := newHost(t)
	h.tempDir += strings.Repeat("t", tempDirMax-len(h.tempDir))
	is.NoErr(os.Mkdir(h.tempDir, 0o700))
	status, checks := h.checks("-terminal", "tmux", "-live")
	is.Equal(status, 0)
	is.Equal(checks["a turn"].Status, okStatus)

	h.tempDir += "t"
	is.NoErr(os.Mkdir(h.tempDir, 0o700))
	status, checks = h.checks()
	is.Equal(status, 1)
	h.only(checks, "temporary directory")
	is.True(strings.Contains(checks["temporary directory"].Do, "shorter"))
	is.Equal(checks["tmux"].Status, noteStatus) // nothing is wrong with it

	status, _ = h.checks("-terminal", "pty")
	is.Equal(status, 0)
}

func TestNoAgent(t *testing.T) {
	is := is.New(t)
	h := newHost(t)
	h.environ[0] = "PATH=" + t.TempDir()
	status, checks := h.checks()
	is.Equal(status, 1)
	h.only(checks, "agent")
	is.True(strings.Contains(checks["agent"].Do, "npm install -g @anthropic-ai/claude-code"))
}

func TestAnotherVersion(t *testing.T) {
	is := is.New(t)
	h := newHost(t)

	dir := t.TempDir()
	is.NoErr(os.WriteFile(filepath.Join(dir, "says"), []byte("2.9.0 (Claude Code)\n"), 0o600))
	script := filepath.Join(dir, "claude")
	exectest.Write(t, script, "#!/bin/sh\ncat "+dir+"/says\n")
	status, checks := h.checks("-agent", script)
	is.Equal(status, 0)
	h.only(checks, "agent")
	is.True(strings.Contains(checks["agent"].Found, "claude 2.9.0"))
	is.True(strings.Contains(checks["agent"].Do, "-live"))
}

func TestAStaleLogin(t *testing.T) {
	is := is.New(t)
	h := newHost(t, tmuxtest.Turn{})
	path := filepath.Join(h.home, ".tuiturn", "home", ".claude", ".credentials.json")
	is.NoErr(os.MkdirAll(filepath.Dir(path), 0o700))
	is.NoErr(os.WriteFile(path, []byte(`{"secret":"`+token+`"}`), 0o600))
	status, checks := h.checks()
	is.Equal(status, 1)
	h.only(checks, "login in the home")
	is.True(strings.Contains(checks["login in the home"].Found, path))

	// A turn puts it right.
	_, checks = h.checks("-live")
	is.Equal(checks["a turn"].Status, okStatus)
	status, checks = h.checks()
	is.Equal(status, 0)
	is.Equal(checks["login in the home"].Status, noteStatus)
	is.True(strings.Contains(checks["login in the home"].Found, path+".aside-1"))
}

func TestAHomeThatCannotBeWritten(t *testing.T) {
	t.Run("a file in the way", func(t *testing.T) {
		is := is.New(t)
		h := newHost(t)
		is.NoErr(os.WriteFile(filepath.Join(h.home, ".tuiturn"), nil, 0o600))
		status, checks := h.checks()
		is.Equal(status, 1)
		is.Equal(checks["home"].Status, wrongStatus)
		is.Equal(checks["home's files"].Status, wrongStatus)
	})
	t.Run("modes", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root writes whatever the modes say")
		}
		is := is.New(t)
		h := newHost(t)
		is.NoErr(os.Chmod(h.home, 0o500))
		status, checks := h.checks()
		is.Equal(status, 1)
		h.only(checks, "home's files")
		is.True(strings.Contains(checks["home's files"].Do, h.home))
	})
}

func TestLeftoversOfAKilledHost(t *testing.T) {
	is := is.New(t)
	h := newHost(t)
	h.tempDir, _ = killedhost.Leave(t)
	status, checks := h.checks()
	is.Equal(status, 1)
	h.only(checks, "leftovers")
	is.True(strings.Contains(checks["leftovers"].Found, "processes: 1, directories: 1"))
	is.True(strings.Contains(checks["leftovers"].Do, "examples/sweep"))
}

func TestCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		environ string
		file    string // below the operator's home
		content string
		status  status
		found   string
	}{
		"none":                {status: wrongStatus, found: "there is none"},
		"the operator's own":  {file: ".claude/.credentials.json", content: "{}", status: noteStatus, found: "login in "},
		"no token":            {environ: "CLAUDE_CODE_OAUTH_TOKEN=two words", status: wrongStatus, found: "blank"},
		"a setting before it": {environ: "CLAUDE_CODE_OAUTH_TOKEN=" + token, file: ".tuiturn/home/.claude/settings.json", content: `{"apiKeyHelper":"echo"}`, status: wrongStatus, found: "apiKeyHelper"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.found == "there is none" && runtime.GOOS == "darwin" {
				t.Skip("what is in the keychain is not looked at")
			}
			is := is.New(t)
			h := newHost(t)
			h.environ = append(h.environ[:1], c.environ)
			if c.file != "" {
				path := filepath.Join(h.home, c.file)
				is.NoErr(os.MkdirAll(filepath.Dir(path), 0o700))
				is.NoErr(os.WriteFile(path, []byte(c.content), 0o600))
			}
			_, checks := h.checks()
			is.Equal(checks["credential"].Status, c.status)
			is.True(strings.Contains(checks["credential"].Found, c.found))
		})
	}
}

func TestNoWorkingDirectory(t *testing.T) {
	is := is.New(t)
	h := newHost(t)
	h.work += "/gone"
	status, checks := h.checks()
	is.Equal(status, 1)
	h.only(checks, "working directory")
}

func TestUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"an argument":      {"all"},
		"unknown flag":     {"-nope"},
		"unknown terminal": {"-terminal", "teletype"},
		"no time":          {"-timeout", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var out, errs bytes.Buffer
			d := doctor{home: t.TempDir(), stdout: &out, stderr: &errs}
			is.Equal(d.run(t.Context(), args), 2)
			is.Equal(out.String(), "")
			is.True(strings.Contains(errs.String(), "doctor: bad usage"))
		})
	}
}
