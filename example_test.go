package tuiturn_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/tuiauth"
)

func ExampleRunner_Turn() {
	userHome, err := os.UserHomeDir()
	if err != nil {
		log.Fatal(err)
	}
	home, err := tuiauth.ResolveHome(tuiauth.HomeConfig{RealHome: userHome, EnvToken: true})
	if err != nil {
		log.Fatal(err)
	}
	runner := &tuiturn.Runner{
		Home:    home,
		Token:   tuiauth.Secret(os.Getenv("CLAUDE_CODE_OAUTH_TOKEN")),
		Environ: os.Environ(),
	}
	defer runner.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	result, err := runner.Turn(ctx, tuiturn.Request{Prompt: "Why is the sky blue?"})
	switch {
	case err == nil:
		fmt.Println(result.Text)
	case errors.Is(err, tuiturn.ErrTruncated):
		fmt.Println(result.Text, "…")
	case errors.Is(err, tuiturn.ErrAuthentication):
		fmt.Println("run claude setup-token and set CLAUDE_CODE_OAUTH_TOKEN")
	default:
		fmt.Println(err)
	}
}

// The whole of a turn, with a program that plays the agent.
func Example() {
	dir, err := os.MkdirTemp("", "tt")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	runner := &tuiturn.Runner{
		Agent:    tuiturn.Claude{Path: self},
		Home:     tuiauth.Home{Dir: filepath.Join(dir, "home"), Mode: tuiauth.Isolated},
		Token:    "a-dummy-token",
		Env:      append(fakeagent.Script{}.Environ(), "GORACE=atexit_sleep_ms=0"),
		Terminal: tuiturn.Pty,
		TempDir:  dir,
	}
	defer runner.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	result, err := runner.Turn(ctx, tuiturn.Request{
		Prompt:  "!rm -rf / is a prompt like any other",
		WorkDir: dir,
		Trace:   &tuiturn.Trace{Submitted: func() { fmt.Println("submitted") }},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Text)
	// Output:
	// submitted
	// You said: \!rm -rf / is a prompt like any other
}
