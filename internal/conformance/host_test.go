package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// token is what the agents log in with. No service knows it, and no other run of
// the suite has the same.
var token = "sk-ant-oat01-dummy-" + rand.Text()

// turnTimeout is for a turn that hangs. On two busy cores one takes some 5 s,
// and minutes where 2.1.104 has an answer of 200 KB to draw.
const turnTimeout = 4 * time.Minute

// A host is the machine as one Runner sees it.
type host struct {
	version  string
	dir      string // holds all that follows
	home     string // the agent's
	realHome string // the operator's, with a login that must stay as it is
	temp     string // the Runner's TempDir
	runner   *tuiturn.Runner

	real map[string]string // realHome as it was
}

// newHost makes a host, and checks when the test and its subtests are over that
// nothing of its turns is left.
func newHost(t *testing.T, version string, terminal tuiturn.TerminalKind) *host {
	t.Helper()
	h := &host{version: version, dir: shortDir(t)}
	h.home = filepath.Join(h.dir, "home")
	h.realHome = filepath.Join(h.dir, "real")
	h.temp = filepath.Join(h.dir, "tmp")
	must(t, os.Mkdir(h.temp, 0o700))
	writeFile(t, filepath.Join(h.realHome, ".claude.json"), `{"hasCompletedOnboarding":true,"oauthAccount":{"n":1.50}}`)
	writeFile(t, filepath.Join(h.realHome, ".claude", ".credentials.json"), `{"claudeAiOauth":{"refreshToken":"single-use"}}`)
	h.real = snapshot(t, h.realHome)

	home, err := tuiauth.ResolveHome(tuiauth.HomeConfig{RealHome: h.realHome, Configured: h.home, EnvToken: true})
	must(t, err)
	h.runner = &tuiturn.Runner{
		Agent:    tuiturn.Claude{Path: agentPath(t, version)},
		Home:     home,
		Token:    tuiauth.Secret(token),
		Environ:  []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.realHome},
		Terminal: terminal,
		TempDir:  h.temp,
	}
	t.Cleanup(func() { h.close(t) })
	return h
}

// close closes the Runner and looks for what should not be there.
func (h *host) close(t *testing.T) {
	if err := h.runner.Close(); err != nil {
		t.Errorf("closing the Runner: %v", err)
	}
	if left := snapshot(t, h.temp); len(left) > 0 {
		t.Errorf("left in the Runner's TempDir: %q", slices.Sorted(maps.Keys(left)))
	}
	if now := snapshot(t, h.realHome); !maps.Equal(now, h.real) {
		t.Errorf("the operator's home has changed: it was %q, it is %q", h.real, now)
	}
	for path, content := range snapshot(t, h.home) {
		if filepath.Base(path) == ".credentials.json" {
			t.Errorf("there is a login in the agent's home: %s", path)
		}
		if bytes.Contains([]byte(content), []byte(token)) {
			t.Errorf("the token stands in %s", path)
		}
	}
}

// workDir makes a working directory, at a path that is physical.
func (h *host) workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(h.dir, "work-")
	must(t, err)
	return dir
}

// An exchange is one turn and what went over the wire for it.
type exchange struct {
	res      *tuiturn.Result
	err      error
	requests []standin.Request // all
}

// turn runs one turn against a service of its own that answers with f, and
// looks for processes that it has left. f is not asked for titles.
func (h *host) turn(t *testing.T, ctx context.Context, req tuiturn.Request, f standin.Handler) exchange {
	t.Helper()
	api := standin.Start(func(r standin.Request) standin.Reply {
		if r.IsTitle() {
			return standin.TitleReply
		}
		return f(r)
	})
	defer api.Close()
	if req.WorkDir == "" {
		req.WorkDir = h.workDir(t)
	}
	req.Env = append([]string{"ANTHROPIC_BASE_URL=" + api.URL}, req.Env...)
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	res, err := h.runner.Turn(ctx, req)
	if left := marked("TUITURN_SESSION=turn-" + res.SessionID); len(left) > 0 {
		t.Errorf("processes left behind by the turn: %v", left)
	}
	if err == nil {
		h.isRecorded(t, req.WorkDir, res)
	}
	x := exchange{res: res, err: err, requests: api.Requests()}
	for _, r := range x.requests {
		if tok := r.Token(); tok != "" && tok != token {
			t.Errorf("%s %s went out with the credential %q", r.Method, r.Path, tok)
		}
	}
	return x
}

// isRecorded compares a Result with what the agent's transcript says when the agent has
// ended, and so has written all that it had to say.
func (h *host) isRecorded(t *testing.T, work string, res *tuiturn.Result) {
	t.Helper()
	work, err := filepath.EvalSymlinks(work)
	must(t, err)
	turn := transcript.Turn{SessionID: res.SessionID}
	for ev, err := range transcript.Read(transcript.Path(h.home, work, res.SessionID)) {
		must(t, err)
		turn.Add(ev)
	}
	turn.Add(transcript.Event{Body: &transcript.Idle{Quiet: time.Hour}})
	o := turn.Outcome()
	got := fmt.Sprintf("%q, %q, %+v", res.Text, res.StopReason, res.Usage)
	if want := fmt.Sprintf("%q, %q, %+v", o.Text, o.StopReason, o.Usage); got != want {
		t.Errorf("the result is %s, and the transcript says %s", got, want)
	}
}

// asked are the requests to the model on behalf of the prompt.
func (x exchange) asked() []standin.Request {
	return slices.DeleteFunc(slices.Clone(x.requests), func(r standin.Request) bool {
		return r.Path != "/v1/messages" || r.IsTitle()
	})
}

// say answers everything with text.
func say(text string) standin.Handler {
	return func(standin.Request) standin.Reply { return standin.Reply{Text: text} }
}

// shortDir is t.TempDir with a path that leaves room for a socket's name, and
// without symbolic links, which macOS has in its own.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tc-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	dir, err = filepath.EvalSymlinks(dir)
	must(t, err)
	return dir
}

// snapshot is what stands in dir: the mode and content of every file, and the
// mode or target of everything else, by path.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			if path == dir && errors.Is(err, fs.ErrNotExist) {
				return nil // no turn has made it
			}
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			what += fmt.Sprintf(" %s\n%s", info.ModTime(), b)
		case info.Mode()&fs.ModeSymlink != 0:
			if what, err = os.Readlink(path); err != nil {
				return err
			}
		}
		all[path] = what
		return nil
	})
	must(t, err)
	return all
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
