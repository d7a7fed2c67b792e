package tmuxtest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// newRunner is a Runner as the examples use it.
func newRunner(agent *tmuxtest.Agent) *tuiturn.Runner {
	return &tuiturn.Runner{
		Agent:      tuiturn.Claude{Path: agent.Path},
		Home:       tuiauth.Home{Dir: agent.Home, Mode: tuiauth.Isolated},
		Token:      "a-dummy-token",
		Terminal:   tuiturn.Pty,
		SweepEvery: -1,
	}
}

// A program is tested against an agent that answers, with what it asked for. In
// a test t is the test's own.
func ExampleNewAgent() {
	agent := tmuxtest.NewAgent(t, tmuxtest.Turn{Answer: "42"})
	runner := &tuiturn.Runner{
		Agent:      tuiturn.Claude{Path: agent.Path},
		Home:       tuiauth.Home{Dir: agent.Home, Mode: tuiauth.Isolated},
		Token:      "a-dummy-token",
		Terminal:   tuiturn.Pty,
		SweepEvery: -1,
	}
	defer runner.Close()

	result, err := runner.Turn(context.Background(), tuiturn.Request{Prompt: "6 times 7?"})
	fmt.Println(result.Text, err)
	fmt.Printf("%q\n", agent.Prompts(1)[0].Prompt)
	// Output:
	// 42 <nil>
	// "6 times 7?"
}

// Each prompt gets its turn, and the last one repeats: here a program that tries
// again would have its answer.
func ExampleTurn() {
	agent := tmuxtest.NewAgent(t,
		tmuxtest.Turn{Status: 401},
		tmuxtest.Turn{Status: 529},
		tmuxtest.Turn{StopReason: "refusal", Answer: "No."},
		tmuxtest.Turn{Dialog: true},
		tmuxtest.Turn{Crash: true},
		tmuxtest.Turn{Answer: "At last."},
	)
	runner := newRunner(agent)
	defer runner.Close()
	for range 6 {
		result, err := runner.Turn(context.Background(), tuiturn.Request{Prompt: "Well?"})
		fmt.Printf("%s %q\n", tuiturn.Outcome(err), result.Text)
	}
	// Output:
	// authentication ""
	// service ""
	// refused "No."
	// blocked ""
	// exited ""
	// answer "At last."
}

func ExampleTurn_stream() {
	agent := tmuxtest.NewAgent(t, tmuxtest.Turn{Aside: "Let me count.", Stream: []string{"One, ", "two, ", "three."}})
	runner := newRunner(agent)
	defer runner.Close()
	for delta, err := range runner.Stream(context.Background(), tuiturn.Request{Prompt: "Count."}) {
		switch {
		case err != nil:
			fmt.Println(err)
		case delta.Aside:
			fmt.Println(" (aside)")
		default:
			fmt.Print(delta.Text)
		}
	}
	// Output:
	// Let me count. (aside)
	// One, two, three.
}

// A permission is asked for, and the program decides.
func ExampleTurn_permission() {
	agent := tmuxtest.NewAgent(t, tmuxtest.Turn{Permission: "rm -rf build", Answer: "It is gone."})
	runner := newRunner(agent)
	defer runner.Close()
	result, err := runner.Turn(context.Background(), tuiturn.Request{
		Prompt: "Clean up.",
		OnPermission: func(ctx context.Context, p tuiturn.PermissionRequest) (tuiturn.Decision, error) {
			fmt.Println(p.Tool, string(p.Input))
			return tuiturn.Decision{Verdict: tuiturn.AllowOnce}, nil
		},
	})
	fmt.Println(result.Text, err)
	// Output:
	// Bash {"command":"rm -rf build"}
	// It is gone. <nil>
}

// A full queue: one turn hangs, and there is room for no other. Prompts waits for
// the first to be at work.
func ExampleAgent_Prompts() {
	agent := tmuxtest.NewAgent(t, tmuxtest.Turn{Hang: true})
	runner := newRunner(agent)
	runner.Limits = tuiturn.Limits{Turns: 1, Waiting: -1}
	defer runner.Close()

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := runner.Turn(ctx, tuiturn.Request{Prompt: "first"})
		ended <- err
	}()
	agent.Prompts(1)
	_, err := runner.Turn(context.Background(), tuiturn.Request{Prompt: "second"})
	fmt.Println(errors.Is(err, tuiturn.ErrQueueFull))
	cancel()
	fmt.Println(errors.Is(<-ended, context.Canceled))
	// Output:
	// true
	// true
}

// A slow answer, and a client that does not wait for it.
func ExampleTurn_slow() {
	agent := tmuxtest.NewAgent(t, tmuxtest.Turn{Answer: "42", Delay: time.Minute})
	runner := newRunner(agent)
	defer runner.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		agent.Prompts(1)
		cancel() // a client has gone
	}()
	_, err := runner.Turn(ctx, tuiturn.Request{Prompt: "6 times 7?"})
	fmt.Println(tuiturn.Outcome(err))
	// Output: canceled
}
