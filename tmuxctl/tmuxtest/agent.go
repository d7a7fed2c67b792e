package tmuxtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

// An Agent is a program that behaves like claude 2.1.330 and has no model: what
// it does with a prompt stands in a script. It needs neither claude nor a network,
// and tmux only if it is started there.
//
// It listens to a prompt as the real one does: one that begins with "!" runs in a
// shell. It has to be given some token, any will do, or it says that it is not
// logged in.
type Agent struct {
	// Path is the program, for tuiturn.Claude. Its name is claude, so that its
	// directory may also stand in a PATH.
	Path string

	// Home is a directory for it that is not there yet, for tuiauth.Home.
	Home string

	t       testing.TB
	prompts string
}

// A Turn is what an [Agent] does with one prompt. The zero Turn answers at once
// with "You said: " and the prompt. Give it one fault at a time. What a Runner
// makes of each field is what it makes of the real agent: the errors named here
// are package tuiturn's.
type Turn struct {
	// Answer is what it says.
	Answer string

	// Stream is the answer in pieces instead, for a Runner to stream; pieces that
	// follow each other at once may come as one. Without it an answer is streamed
	// by the line.
	Stream []string

	// Delay passes before the answer, and again before each streamed piece.
	Delay time.Duration

	// Aside is said on the way, before a tool is used and then the answer given.
	Aside string

	// Permission is a shell command that it asks for permission to run: a matter
	// for Request.OnPermission, without which the turn ends with a *BlockedError.
	// Nothing is run. If it is refused there is no answer and the turn
	// ErrInterrupted, unless the refusal has a message.
	Permission string

	// Dialog shows a menu that nobody knows: *BlockedError.
	Dialog bool

	// StopReason is why the model stopped, "end_turn" by default: "max_tokens" is
	// ErrTruncated, "refusal" ErrRefused.
	StopReason string

	// Status is the HTTP status with which the service fails: *APIError. 401 and 403
	// are ErrAuthentication too, 429 is a rate limit, 529 an overload.
	Status int

	// Hang never answers. An interruption ends the turn, and so does its context.
	Hang bool

	// Crash kills the agent with SIGKILL in the middle of its answer, half a line
	// of which stands in the transcript: *ExitError.
	Crash bool
}

// NewAgent makes an agent for the test, whose TestMain must call [PlayAgent]. The
// turns are for the prompts in the order in which they arrive, in whichever
// process of the agent; the last one repeats, and none means the zero [Turn].
// Close the Runner before the test ends.
func NewAgent(t testing.TB, turns ...Turn) *Agent {
	t.Helper()
	if !played {
		t.Fatal("a test binary is its own agent: call tmuxtest.PlayAgent() first thing in TestMain")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "tt-") // and not t.TempDir(): see New
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	a := &Agent{
		Path:    filepath.Join(dir, "claude"),
		Home:    filepath.Join(dir, "home"),
		t:       t,
		prompts: filepath.Join(dir, "prompts"),
	}
	script := fakeagent.Script{
		Version:   "2.1.330",
		AltScreen: true,
		TrustNo:   true,
		NewInput:  true,
		Footer:    "⏸ manual mode on · ? for shortcuts · ← for agents",
		Prompts:   a.prompts,
	}
	for _, turn := range turns {
		script.Turns = append(script.Turns, turn.script())
	}
	b, err := json.Marshal(script)
	if err != nil {
		t.Fatal(err)
	}
	// A link and not a shell script that starts this program: what was written
	// a moment ago may be "text file busy" when it is started.
	err = errors.Join(os.Mkdir(a.prompts, 0o700), os.WriteFile(a.Path+scriptSuffix, b, 0o600), os.Symlink(self, a.Path))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (t Turn) script() fakeagent.Turn {
	f := fakeagent.Turn{
		Text:          t.Answer,
		Delay:         t.Delay,
		StopReason:    t.StopReason,
		UnknownDialog: t.Dialog,
		Hang:          t.Hang,
	}
	if len(t.Stream) > 0 {
		f.Text, f.Shown = strings.Join(t.Stream, ""), t.Stream
	}
	f.ShowDelay = t.Delay
	if t.Aside != "" || t.Permission != "" {
		f.Tool = &fakeagent.Tool{Narration: t.Aside, Command: t.Permission, Ask: t.Permission != ""}
	}
	if t.Status != 0 {
		f.APIError = &fakeagent.APIError{Status: t.Status}
	}
	if t.Crash {
		f.End = &fakeagent.End{At: fakeagent.AtHalf, Signal: int(syscall.SIGKILL)}
	}
	return f
}

// A Prompt is one that an agent got. Its fields are those of tuiturn.Request, as
// the agent has them: the prompt disarmed, an empty name for its own model.
type Prompt struct {
	Prompt, SystemPrompt, Model, WorkDir string
}

// Prompts waits until the agent has got n prompts, in all of its processes, and
// returns those that it has got, in order. With n = 0 it does not wait. The test
// fails if they have not come after 20 s.
func (a *Agent) Prompts(n int) []Prompt {
	a.t.Helper()
	for late := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		got, err := fakeagent.ReadPrompts(a.prompts)
		if err != nil {
			a.t.Fatal(err)
		}
		if len(got) >= n {
			prompts := make([]Prompt, len(got))
			for i, p := range got {
				prompts[i] = Prompt(p)
			}
			return prompts
		}
		if time.Now().After(late) {
			a.t.Fatalf("the agent has got %d prompts instead of %d", len(got), n)
		}
	}
}

// scriptSuffix names the file beside an agent's program that has its script.
const scriptSuffix = ".script"

// played: PlayAgent was called.
var played bool

// PlayAgent makes a test binary its own [Agent]: it plays that, and ends the
// program, if an agent is what the program was started as, and does nothing
// otherwise. It is to be called first thing:
//
//	func TestMain(m *testing.M) { tmuxtest.PlayAgent(); m.Run() }
func PlayAgent() {
	played = true
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return
	}
	b, err := os.ReadFile(path + scriptSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var script fakeagent.Script
	if err == nil {
		err = json.Unmarshal(b, &script)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s is to be the agent of a test: %v\n", path, err)
		syscall.Exit(1)
	}
	// Not os.Exit, for which the race detector takes a second.
	syscall.Exit(fakeagent.Run(script, os.Args[1:]))
}
