// Command ask gives a prompt to an interactive terminal agent and prints its answer.
//
//	ask [flags] PROMPT
//
// PROMPT "-" reads the prompt from standard input.
//
// Set CLAUDE_CODE_OAUTH_TOKEN to a long-lived token (claude setup-token makes one).
// The agent then logs in with the token and runs in a home without any other login.
// Without a token the agent runs in your own home.
//
// Only the answer goes to standard output. If standard error is a terminal, the
// progress of the turn goes there. With -stream the answer is printed while it
// arrives, together with what the agent says before it uses a tool.
//
// With -json one object is printed, on one line, whatever the outcome. Its fields are
// text, session_id, stop_reason, model, usage, terminal, warm, agent_version, timings
// (milliseconds) and error. An error has a message and a kind, which is "usage" or a
// word of tuiturn.Outcome.
//
// With -n the prompt is given that often, one turn after the other, each in a session
// of its own. With -warm agents are started in advance. Each turn then waits for a
// ready agent, and its times do not include the wait. Use both with -json to measure
// turns.
//
// The exit status is 0 for an answer, 2 for bad usage, 3 if the login is not accepted,
// 4 if the deadline passed or the answer hit a limit, 5 if the agent waits for a
// person, 6 if the model refused or the service failed, and 1 for anything else. With
// -n it is the status of the first turn that failed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

func main() {
	// With -demo this program is its own agent.
	if fakeagent.Enabled() {
		os.Exit(fakeagent.Main())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	home, _ := os.UserHomeDir()
	a := ask{
		home: home, environ: os.Environ(),
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, progress: isTerminal(os.Stderr),
	}
	status := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// An ask is one run of the command.
type ask struct {
	home           string // the operator's; empty if it is not known
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
	progress       bool
}

type options struct {
	agent, terminal, home, workdir, model string
	env                                   []string
	timeout                               time.Duration
	json, stream, demo                    bool
	n, warm                               int
	prompt                                string
}

const statusUsage = 2

var errUsage = errors.New("bad usage")

func (a *ask) run(ctx context.Context, args []string) (status int) {
	o, err := a.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil && o.prompt == "-" {
		o.prompt, err = a.read(ctx, o.timeout)
	}
	var r *runner
	if err == nil {
		r, err = a.newRunner(o)
	}
	if err != nil {
		return a.report(o, nil, err)
	}
	for range o.n {
		res, err := a.turn(ctx, r, o)
		if s := a.report(o, res, err); status == 0 {
			status = s
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := r.close(); err != nil {
		fmt.Fprintln(a.stderr, "ask:", err)
		status = max(status, 1)
	}
	return status
}

// report prints the result of a turn and returns the exit status for it.
func (a *ask) report(o options, res *tuiturn.Result, err error) (status int) {
	kind, status := classify(err)
	if o.json {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		if encErr := enc.Encode(newReport(res, kind, err)); encErr != nil {
			fmt.Fprintln(a.stderr, "ask:", encErr)
			return 1
		}
		return status
	}
	if !o.stream && res != nil && res.Text != "" {
		fmt.Fprintln(a.stdout, strings.TrimSuffix(res.Text, "\n"))
	}
	if err != nil {
		fmt.Fprintln(a.stderr, "ask:", err)
		var e *tuiturn.Error
		if errors.As(err, &e) && e.Screen != "" {
			fmt.Fprintf(a.stderr, "ask: the agent's terminal showed:\n%s\n", e.Screen)
		}
	}
	return status
}

// read reads the prompt from standard input.
func (a *ask) read(ctx context.Context, timeout time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type input struct {
		text []byte
		err  error
	}
	done := make(chan input, 1)
	go func() {
		text, err := io.ReadAll(a.stdin)
		done <- input{text, err}
	}()
	select {
	case in := <-done:
		if in.err != nil {
			return "", fmt.Errorf("reading the prompt from standard input: %w", in.err)
		}
		return string(in.text), nil
	case <-ctx.Done():
		return "", fmt.Errorf("reading the prompt from standard input: %w", ctx.Err())
	}
}

func (a *ask) parse(args []string) (o options, err error) {
	fs := flag.NewFlagSet("ask", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {
		fmt.Fprintln(a.stderr, "usage: ask [flags] PROMPT    (PROMPT - reads standard input)")
		fs.SetOutput(a.stderr)
		fs.PrintDefaults()
	}
	fs.StringVar(&o.agent, "agent", "", "the claude program; `PATH` or a name (default claude, from PATH)")
	fs.StringVar(&o.terminal, "terminal", "auto", "`KIND` of terminal: tmux, pty, or auto for tmux where it is installed")
	fs.StringVar(&o.home, "home", "", "home `DIR` for the agent (default ~/.tuiturn/home with a token, else your own)")
	fs.StringVar(&o.workdir, "workdir", "", "working `DIR` of the agent, whose files it may read (default the current one)")
	fs.StringVar(&o.model, "model", "", "model `NAME` (default the agent's choice)")
	fs.Func("env", "`KEY=VALUE` to add to the agent's environment; may be repeated", func(s string) error {
		if key, _, ok := strings.Cut(s, "="); !ok || key == "" {
			return errors.New("give KEY=VALUE")
		}
		o.env = append(o.env, s)
		return nil
	})
	fs.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long a turn may take")
	fs.BoolVar(&o.json, "json", false, "print one JSON object for each turn")
	fs.BoolVar(&o.stream, "stream", false, "print the answer while it arrives")
	fs.IntVar(&o.n, "n", 1, "run `N` turns, one after the other")
	fs.IntVar(&o.warm, "warm", 0, "keep `N` agents ready; each turn waits for a ready agent")
	fs.BoolVar(&o.demo, "demo", false, "use the built-in agent, which needs neither claude nor tmux and echoes the prompt")
	if err := fs.Parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			err = fmt.Errorf("%w: %w", errUsage, err)
		}
		return o, err
	}
	switch {
	case fs.NArg() != 1:
		return o, fmt.Errorf("%w: one PROMPT is needed, got %d: quote it, or give - to read it from standard input", errUsage, fs.NArg())
	case o.timeout <= 0:
		return o, fmt.Errorf("%w: -timeout %v: give a positive duration such as 2m", errUsage, o.timeout)
	case o.terminal != "auto" && o.terminal != "tmux" && o.terminal != "pty":
		return o, fmt.Errorf("%w: -terminal %s: use auto, tmux or pty", errUsage, o.terminal)
	case o.n < 1 || o.warm < 0:
		return o, fmt.Errorf("%w: -n %d -warm %d: give 1 or more for -n, and 0 or more for -warm", errUsage, o.n, o.warm)
	case o.json && o.stream:
		return o, fmt.Errorf("%w: -json prints the answer when it is whole: leave -stream out", errUsage)
	case o.demo && o.agent != "":
		return o, fmt.Errorf("%w: -demo brings its own agent: leave -agent out", errUsage)
	}
	if o.home != "" {
		if o.home, err = filepath.Abs(o.home); err != nil {
			return o, err
		}
	}
	o.prompt = fs.Arg(0)
	return o, nil
}
