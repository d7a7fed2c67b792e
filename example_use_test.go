package tuiturn_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// demo is a Runner whose agent is played by this program; see Example. What it is
// like to set one up for yourself is shown by ExampleRunner_Turn.
func demo(turns ...fakeagent.Turn) (runner *tuiturn.Runner, done func()) {
	dir, err := os.MkdirTemp("", "tt")
	if err != nil {
		log.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	script := fakeagent.Script{Version: "2.1.330", Turns: turns}
	runner = &tuiturn.Runner{
		Agent:    tuiturn.Claude{Path: self},
		Home:     tuiauth.Home{Dir: filepath.Join(dir, "home"), Mode: tuiauth.Isolated},
		Token:    "a-dummy-token",
		Env:      append(script.Environ(), "GORACE=atexit_sleep_ms=0"),
		Terminal: tuiturn.Pty,
		TempDir:  dir,
	}
	return runner, func() {
		if err := runner.Close(); err != nil {
			log.Print(err)
		}
		os.RemoveAll(dir)
	}
}

func ExampleRunner_Stream() {
	runner, done := demo(fakeagent.Turn{Text: "Roses are red,\nviolets are blue."})
	defer done()
	for delta, err := range runner.Stream(context.Background(), tuiturn.Request{Prompt: "A poem!"}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Print(delta.Text)
	}
	// Output:
	// Roses are red,
	// violets are blue.
}

// A conversation keeps its agent, and its session outlives the host.
func ExampleRunner_Open() {
	runner, done := demo()
	defer done()
	ctx := context.Background()
	talk, err := runner.Open(ctx, tuiturn.Request{})
	if err != nil {
		log.Fatal(err)
	}
	for _, prompt := range []string{"My name is Ada.", "What is my name?"} {
		result, err := talk.Turn(ctx, tuiturn.TurnRequest{Prompt: prompt})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result.Text)
	}
	talk.Close()

	talk, err = runner.Resume(ctx, talk.SessionID(), tuiturn.Request{})
	if err != nil {
		log.Fatal(err)
	}
	defer talk.Close()
	result, err := talk.Turn(ctx, tuiturn.TurnRequest{Prompt: "Are you sure?"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Text)
	// Output:
	// You said: My name is Ada.
	// You said: What is my name?
	// You said: Are you sure?
}

// The host decides what the agent may do, each time that it asks.
func ExampleRequest_onPermission() {
	runner, done := demo(fakeagent.Turn{Text: "The files are gone.", Tool: &fakeagent.Tool{Command: "rm -rf build", Ask: true}})
	defer done()
	result, err := runner.Turn(context.Background(), tuiturn.Request{
		Prompt: "Clean up.",
		OnPermission: func(_ context.Context, req tuiturn.PermissionRequest) (tuiturn.Decision, error) {
			fmt.Printf("%s %s\n", req.Tool, req.Input)
			return tuiturn.Decision{Verdict: tuiturn.AllowOnce}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Text)
	// Output:
	// Bash {"command":"rm -rf build"}
	// The files are gone.
}

// Agents that stand ready save a turn the start of one.
func ExampleRunner_Warm() {
	runner, done := demo()
	defer done()
	runner.Pool = tuiturn.Pool{Size: 1}
	ctx, req := context.Background(), tuiturn.Request{Prompt: "hello"}
	if err := runner.Warm(ctx, req); err != nil { // turns need not wait for it
		log.Fatal(err)
	}
	result, err := runner.Turn(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Text, result.Warm)
	// Output: You said: hello true
}

// Limits keep a host from running more agents than it has room for.
func ExampleRunner_SetLimits() {
	runner, done := demo()
	defer done()
	runner.Limits = tuiturn.Limits{Turns: 4, Waiting: 20} // before the first turn
	runner.Turn(context.Background(), tuiturn.Request{Prompt: "hello"})
	runner.SetLimits(tuiturn.Limits{Turns: 2, Waiting: 20}) // at any time
	stats := runner.Stats()
	fmt.Println(stats.Running, stats.Waiting, stats.Turns)
	// Output: 0 0 map[answer:1]
}
