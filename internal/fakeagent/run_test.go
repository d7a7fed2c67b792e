package fakeagent

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn/internal/uuid"
)

// patience is how long a test waits for something that should happen.
const patience = 2 * time.Minute

// A runner is a fake agent in a pseudo terminal, in a home of its own.
type runner struct {
	t         testing.TB
	home, dir string
	tmp       string
	session   string
	cmd       *exec.Cmd
	pty       *os.File
	status    syscall.WaitStatus
	ended     chan struct{} // closed when the agent is gone and status is known

	mu     sync.Mutex
	out    string
	change chan struct{} // closed and replaced when out grows
}

// A setup is what a test changes before the agent starts.
type setup struct {
	args   []string
	env    []string
	seed   string // .claude.json; "-" for none, empty for a trusted folder
	noAuth bool
	home   string // of an earlier runner
}

// newHome makes a home and a working directory, without starting anything.
func newHome(t testing.TB, s Script, u setup) *runner {
	t.Helper()
	r := &runner{t: t, session: uuid.New(), ended: make(chan struct{}), change: make(chan struct{})}
	if r.home = u.home; r.home == "" {
		var err error
		if r.home, err = filepath.EvalSymlinks(t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	r.dir, r.tmp = filepath.Join(r.home, "work"), filepath.Join(r.home, "tmp")
	for _, d := range []string{r.dir, r.tmp} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	switch u.seed {
	case "-":
	case "":
		u.seed = fmt.Sprintf(`{"hasCompletedOnboarding":true,"n":12345678901234567890,"projects":{%q:{"hasTrustDialogAccepted":true}}}`, r.dir)
		fallthrough
	default:
		if err := os.WriteFile(filepath.Join(r.home, ".claude.json"), []byte(u.seed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if u.args == nil {
		u.args = []string{"--session-id", r.session}
	}
	r.cmd = exec.Command(self, u.args...)
	r.cmd.Dir = r.dir
	// The race detector otherwise makes every agent sleep for a second at exit.
	r.cmd.Env = append(s.Environ(), "GORACE=atexit_sleep_ms=0", "PATH=/usr/bin:/bin", "HOME="+r.home, "TMPDIR="+r.tmp, "TERM=xterm-256color", "LANG=C.UTF-8")
	if !u.noAuth {
		r.cmd.Env = append(r.cmd.Env, "CLAUDE_CODE_OAUTH_TOKEN=dummy")
	}
	r.cmd.Env = append(r.cmd.Env, u.env...)
	return r
}

// start runs an agent until the end of the test.
func start(t testing.TB, s Script, u setup) *runner {
	t.Helper()
	r := newHome(t, s, u)
	var err error
	if r.pty, err = pty.StartWithSize(r.cmd, &pty.Winsize{Rows: 30, Cols: 100}); err != nil {
		t.Fatal(err)
	}
	// Package pty calls Fd, after which Close waits for a pending Read and the
	// terminal would never hang up. A new descriptor can be closed at any time.
	fd, err := unix.FcntlInt(r.pty.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.pty.Close()
	r.pty = os.NewFile(uintptr(fd), "pty")
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 32<<10)
		for {
			n, err := r.pty.Read(buf)
			r.mu.Lock()
			r.out += string(buf[:n])
			close(r.change)
			r.change = make(chan struct{})
			r.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() {
		r.cmd.Wait()
		r.status = r.cmd.ProcessState.Sys().(syscall.WaitStatus)
		close(r.ended)
	}()
	t.Cleanup(func() {
		r.cmd.Process.Kill()
		<-r.ended
		r.pty.Close()
		<-read
		if strings.Contains(r.out, "DATA RACE") {
			t.Errorf("the agent has a data race:\n%s", r.out)
		}
	})
	return r
}

// output waits until ok is true of everything the agent has written.
func (r *runner) output(what string, ok func(string) bool) string {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		out, change := r.out, r.change
		r.mu.Unlock()
		if ok(out) {
			return out
		}
		select {
		case <-change:
		case <-deadline:
			r.t.Fatalf("not on screen: %s; the last of it:\n%q", what, out[max(0, len(out)-2000):])
		}
	}
}

// screen waits until a text is in what the agent drew last.
func (r *runner) screen(text string) {
	r.t.Helper()
	r.output(text, func(out string) bool {
		end := strings.LastIndex(out, "\x1b[?2026l")
		return end >= 0 && strings.Contains(out[strings.LastIndex(out[:end], "\x1b[?2026h"):end], text)
	})
}

// ready waits for the input line.
func (r *runner) ready() *runner {
	r.t.Helper()
	r.screen("? for shortcuts")
	return r
}

func (r *runner) send(keys string) {
	r.t.Helper()
	if _, err := r.pty.WriteString(keys); err != nil {
		r.t.Fatal(err)
	}
}

// poll asks until the answer is good, for what offers no event to wait on.
func (r *runner) poll(what string, ask func() (string, bool)) string {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		s, ok := ask()
		if ok {
			return s
		}
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("no %q in:\n%s", what, s)
		}
	}
}

// insist sends keys again and again until the screen shows a text: the only way
// to tell that an agent has begun to listen.
func (r *runner) insist(keys, text string) {
	r.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		r.mu.Lock()
		shown := strings.Contains(r.out, text)
		r.mu.Unlock()
		if shown {
			return
		}
		r.send(keys)
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("the agent does not take keys")
		}
	}
}

// submit types a prompt and presses Enter.
func (r *runner) submit(prompt string) { r.t.Helper(); r.send(prompt + "\r") }

// wait waits for the agent's end.
func (r *runner) wait() syscall.WaitStatus {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(patience):
		r.t.Fatal("the agent did not end")
	}
	return r.status
}

func (r *runner) transcript() string {
	return filepath.Join(r.home, ".claude", "projects", munge(r.dir), r.session+".jsonl")
}

// A record is a line of the transcript as a reader sees it.
type record struct {
	Type, Subtype      string
	UUID, ParentUUID   string
	SessionID, Cwd     string
	Version, Timestamp string
	IsSidechain        bool
	IsAPIErrorMessage  bool
	APIErrorStatus     int
	APIErrorType       string
	RetryAttempt       int
	DurationMs         *int64
	Error              any
	Attachment         *struct {
		Content struct{ File struct{ Content string } }
	}
	Message *struct {
		ID, Model, Role string
		StopReason      *string `json:"stop_reason"`
		Content         any
		Usage           map[string]any
	}
	size int
}

// text is the record's content as one string.
func (r record) text() string {
	if r.Message == nil {
		return ""
	}
	if s, ok := r.Message.Content.(string); ok {
		return s
	}
	var b strings.Builder
	for _, c := range r.Message.Content.([]any) {
		m := c.(map[string]any)
		for _, f := range []string{"text", "thinking", "name", "content"} {
			if s, ok := m[f].(string); ok {
				b.WriteString(s)
			}
		}
	}
	return b.String()
}

// kind names a record for a test's table of lines.
func (r record) kind() string {
	k := r.Type
	if r.Subtype != "" {
		k += ":" + r.Subtype
	}
	if r.IsSidechain {
		k += ":side"
	}
	if r.Message != nil && r.Message.StopReason != nil {
		k += ":" + *r.Message.StopReason
	}
	return k
}

// conversation is the kinds of the records that stand for the turns.
func conversation(rs []record) string {
	var s []string
	for _, r := range rs {
		switch r.Type {
		case "user", "assistant", "system", "attachment":
			s = append(s, r.kind())
		}
	}
	return strings.Join(s, " ")
}

// records waits until ok is true of the transcript's whole lines. There is
// nothing to wait on but the file itself.
func (r *runner) records(what string, ok func([]record) bool) []record {
	r.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		b, _ := os.ReadFile(r.transcript())
		whole := b[:strings.LastIndexByte(string(b), '\n')+1]
		var rs []record
		for l := range strings.Lines(string(whole)) {
			rec := record{size: len(l)}
			if err := json.Unmarshal([]byte(l), &rec); err != nil {
				r.t.Fatalf("not JSON: %v: %.200q", err, l)
			}
			rs = append(rs, rec)
		}
		if ok(rs) {
			return rs
		}
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("not in the transcript: %s; it has: %s", what, conversation(rs))
		}
	}
}

// over waits for the end of the n-th turn.
func (r *runner) over(n int) []record {
	r.t.Helper()
	return r.records(fmt.Sprint("the end of turn ", n), func(rs []record) bool {
		have := 0
		for _, rec := range rs {
			if rec.Type == "last-prompt" {
				have++
			}
		}
		return have >= n
	})
}

// only returns the records of a type.
func only(rs []record, typ string) []record {
	var out []record
	for _, r := range rs {
		if r.Type == typ {
			out = append(out, r)
		}
	}
	return out
}
