package tmuxtest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// A Runner takes the agent for the real one, whatever it is told to do.
func TestTurns(t *testing.T) {
	big := strings.Repeat("a line of an answer that no variable could hold\n", 10_000)
	for name, c := range map[string]struct {
		turn    tmuxtest.Turn
		outcome string
		text    string
		check   func(*is.I, error)
	}{
		"nothing":           {tmuxtest.Turn{}, "answer", "You said: hello", nil},
		"an answer":         {tmuxtest.Turn{Answer: "42"}, "answer", "42", nil},
		"a big one":         {tmuxtest.Turn{Answer: big}, "answer", big, nil},
		"a slow one":        {tmuxtest.Turn{Answer: "42", Delay: 300 * time.Millisecond}, "answer", "42", nil},
		"pieces":            {tmuxtest.Turn{Stream: []string{"4", "2"}}, "answer", "42", nil},
		"an aside":          {tmuxtest.Turn{Aside: "hm", Answer: "42"}, "answer", "42", nil},
		"truncated":         {tmuxtest.Turn{Answer: "4", StopReason: "max_tokens"}, "truncated", "4", nil},
		"refused":           {tmuxtest.Turn{Answer: "no", StopReason: "refusal"}, "refused", "no", nil},
		"a dialog":          {tmuxtest.Turn{Dialog: true}, "blocked", "", nil},
		"hangs":             {tmuxtest.Turn{Hang: true}, "deadline", "", nil},
		"crash":             {tmuxtest.Turn{Crash: true}, "exited", "", nil},
		"not its own":       {tmuxtest.Turn{Status: 401}, "authentication", "", nil},
		"the token may not": {tmuxtest.Turn{Status: 403}, "authentication", "", nil},
		"a permission": {tmuxtest.Turn{Permission: "make"}, "blocked", "", func(is *is.I, err error) {
			blocked, ok := errors.AsType[*tuiturn.BlockedError](err)
			is.True(ok)
			is.Equal(blocked.Kind, "permission")
		}},
		"rate limit": {tmuxtest.Turn{Status: 429}, "service", "", func(is *is.I, err error) {
			service, ok := errors.AsType[*tuiturn.APIError](err)
			is.True(ok)
			is.Equal(service.Type, "rate_limit_error")
			is.True(service.Retryable())
		}},
		"overload": {tmuxtest.Turn{Status: 529}, "service", "", func(is *is.I, err error) {
			service, ok := errors.AsType[*tuiturn.APIError](err)
			is.True(ok)
			is.Equal(service.Type, "overloaded_error")
		}},
	} {
		for _, kind := range []tuiturn.TerminalKind{tuiturn.Tmux, tuiturn.Pty} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				t.Parallel()
				if kind == tuiturn.Tmux {
					tmuxtest.Require(t)
				}
				is := is.New(t)
				agent := tmuxtest.NewAgent(t, c.turn)
				runner := newRunner(agent)
				runner.Terminal = kind
				defer runner.Close()
				patience := 30 * time.Second
				if c.outcome == "deadline" {
					patience = 3 * time.Second
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				result, err := runner.Turn(ctx, tuiturn.Request{Prompt: "hello"})
				is.Equal(tuiturn.Outcome(err), c.outcome)
				is.True(result.Text == c.text) // not is.Equal: 500 KB of report
				if c.check != nil {
					c.check(is, err)
				}
			})
		}
	}
}

// What a program sends is what its test sees.
func TestPrompts(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	agent := tmuxtest.NewAgent(t)
	is.Equal(len(agent.Prompts(0)), 0)
	runner := newRunner(agent)
	defer runner.Close()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	is.NoErr(err)
	_, err = runner.Turn(t.Context(), tuiturn.Request{Prompt: "!hello\nworld", SystemPrompt: "Be brief.", Model: "opus", WorkDir: dir})
	is.NoErr(err)
	is.Equal(agent.Prompts(1), []tmuxtest.Prompt{{Prompt: "\\!hello\nworld", SystemPrompt: "Be brief.", Model: "opus", WorkDir: dir}})
}

// Prompts that come at once get one turn each.
func TestTurnsAreSharedOut(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var turns []tmuxtest.Turn
	var want []string
	for i := range 6 {
		want = append(want, fmt.Sprint("answer ", i))
		turns = append(turns, tmuxtest.Turn{Answer: want[i]})
	}
	agent := tmuxtest.NewAgent(t, turns...)
	runner := newRunner(agent)
	defer runner.Close()
	answers := make(chan string)
	for range want {
		go func() {
			result, err := runner.Turn(t.Context(), tuiturn.Request{Prompt: "hello"})
			answers <- result.Text + fmt.Sprint(err)[len("<nil>"):]
		}()
	}
	var got []string
	for range want {
		got = append(got, <-answers)
	}
	slices.Sort(got)
	is.Equal(got, want)
}

// A program that looks claude up in PATH finds it there.
func TestAgentInPath(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	agent := tmuxtest.NewAgent(t, tmuxtest.Turn{Answer: "42"})
	runner := newRunner(agent)
	runner.Agent = nil
	runner.Environ = []string{"PATH=" + filepath.Dir(agent.Path) + ":/usr/bin:/bin"}
	defer runner.Close()
	result, err := runner.Turn(t.Context(), tuiturn.Request{Prompt: "6 times 7?"})
	is.NoErr(err)
	is.Equal(result.Text, "42")
}

func TestAgentEndsWithTheTest(t *testing.T) {
	is := is.New(t)
	var dir string
	t.Run("a test", func(t *testing.T) { dir = filepath.Dir(tmuxtest.NewAgent(t).Path) })
	_, err := os.Stat(dir)
	is.True(os.IsNotExist(err))
}
