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

// An Agent is a program that behaves like claude 2.1.330 but has no model: the
// [Turn] values given to [NewAgent] say what it does with each prompt. It needs
// neither claude nor a network, and tmux only if it is started in tmux.
//
// Its input line behaves like the real one: a line that begins with "!" runs in a
// shell. The agent needs a token, with any value; without one it says that it is not
// logged in.
type Agent struct {
	// Path is the program's path, for tuiturn.Claude. The program's name is claude,
	// so you can also add its directory to a PATH.
	Path string

	// Home is the path of a home for the agent, for tuiauth.Home. The directory does
	// not exist yet.
	Home string

	t       testing.TB
	prompts string
}

// A Turn says what an [Agent] does with one prompt. The zero Turn answers at once
// with "You said: " and the prompt. Set one fault at a time. A Runner reacts to each
// field as it does to the real agent: the errors named here are package tuiturn's.
type Turn struct {
	// Answer is the text of the answer.
	Answer string

	// Stream is the answer in pieces, instead of Answer, for a Runner to stream.
	// Pieces without a Delay between them may arrive as one. Without Stream an
	// answer is streamed by the line.
	Stream []string

	// Delay is the time before the answer, and before each streamed piece.
	Delay time.Duration

	// Aside is a text that the agent says before it uses a tool and then answers.
	Aside string

	// Permission is a shell command that the agent asks to run, which calls
	// Request.OnPermission. Without OnPermission the turn ends with a *BlockedError.
	// The command is never run. If the permission is denied without a message, there
	// is no answer and the turn ends with ErrInterrupted.
	Permission string

	// Dialog shows a menu that the Runner does not know. The turn ends with a
	// *BlockedError.
	Dialog bool

	// StopReason says why the model stopped; empty means "end_turn". The turn ends
	// with ErrTruncated for "max_tokens" and with ErrRefused for "refusal".
	StopReason string

	// Status is the HTTP status with which the service fails; zero means that it
	// does not. The turn ends with an *APIError, which for 401 and 403 is also
	// ErrAuthentication. 429 is a rate limit, 529 an overload.
	Status int

	// Hang never answers. The turn ends when it is interrupted or its context ends.
	Hang bool

	// Crash kills the agent with SIGKILL in the middle of its answer, when half a
	// line of it stands in the transcript. The turn ends with an *ExitError.
	Crash bool
}

// NewAgent makes an agent for the test. The package's TestMain must call
// [PlayAgent]. Each prompt uses up one of the turns, in the order in which prompts
// arrive, in whichever process of the agent. The last turn repeats; without turns
// every prompt gets the zero [Turn]. Close the Runner before the test ends.
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
		Version:   "2.1.332",
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

// A Prompt is a prompt that an agent received. Its fields are named as in
// tuiturn.Request and hold what the agent received: Prompt has the changes that
// tuiturn.Request.Prompt lists, and an empty Model means the agent's own choice.
type Prompt struct {
	Prompt, SystemPrompt, Model, WorkDir string
}

// Prompts waits until the agent has received n prompts, in all of its processes
// together, and returns all that it has received, in order. With n = 0 it does not
// wait. The test fails if fewer have arrived after two minutes.
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

// PlayAgent lets the test binary be its own [Agent]. If the program was started as an
// agent, PlayAgent acts as the agent and then exits. Otherwise it does nothing. Call
// it first in TestMain:
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
