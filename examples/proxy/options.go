package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

type options struct {
	listen, keyFile                       string
	agent, terminal, home, workdir, model string
	tools, env                            []string
	turns, waiting, warm                  int
	timeout, grace, keep                  time.Duration
	readTimeout, writeTimeout             time.Duration
	maxBody                               int64
	demo                                  bool
}

const usage = `usage: proxy [flags]

Answers programs that speak OpenAI's or Anthropic's API with turns of an
interactive terminal agent. It is for one operator's own use, on that operator's
own account; it is not a way to share an account.

`

func (p *proxy) parse(args []string) (o options, err error) {
	fs := flag.NewFlagSet("proxy", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {
		fs.SetOutput(p.stderr)
		fmt.Fprint(p.stderr, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`ADDRESS` to listen on; other than loopback needs a key")
	fs.StringVar(&o.keyFile, "key-file", "", "`FILE` with the key that clients need (default: the variable "+keyVar+"; without either there is no key)")
	fs.StringVar(&o.agent, "agent", "", "the claude program; `PATH` or a name (default claude, from PATH)")
	fs.StringVar(&o.terminal, "terminal", "auto", "`KIND` of terminal: tmux, pty, or auto for tmux where it is installed")
	fs.StringVar(&o.home, "home", "", "home `DIR` for the agent (default ~/.tuiturn/home with a token, else your own)")
	fs.StringVar(&o.workdir, "workdir", "", "working `DIR` of the agent (default ~/.tuiturn/proxy, which is made)")
	fs.StringVar(&o.model, "model", "", "`NAME` of the model for requests that name none of claude's (default the agent's choice)")
	fs.Func("tools", "tools to offer the model, `NAME,NAME`: they run with your rights (default none)", func(s string) error {
		o.tools = strings.Split(s, ",")
		return nil
	})
	fs.Func("env", "`KEY=VALUE` to add to the agent's environment; may be repeated", func(s string) error {
		if key, _, ok := strings.Cut(s, "="); !ok || key == "" {
			return errors.New("give KEY=VALUE")
		}
		o.env = append(o.env, s)
		return nil
	})
	fs.IntVar(&o.turns, "turns", 4, "run at most `N` turns at once; each is a process of some 300 MB")
	fs.IntVar(&o.waiting, "waiting", 20, "let at most `N` more turns wait")
	fs.IntVar(&o.warm, "warm", 0, "keep `N` agents ready for each kind of request")
	fs.DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long a turn may take, with its time in the queue")
	fs.DurationVar(&o.grace, "grace", 30*time.Second, "how long turns may go on after SIGTERM")
	fs.DurationVar(&o.readTimeout, "read-timeout", time.Minute, "how long a client may take to send a request")
	fs.DurationVar(&o.writeTimeout, "write-timeout", 30*time.Second, "how long a client may take to read a piece of an answer")
	fs.DurationVar(&o.keep, "keep", 0, "how long to keep the agent's sessions, at least 1h; needs a token (default: for ever)")
	fs.Int64Var(&o.maxBody, "max-body", 8<<20, "accept requests of at most `BYTES`")
	fs.BoolVar(&o.demo, "demo", false, "use the built-in agent, which needs neither claude nor tmux and echoes the prompt")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() != 0:
		return o, fmt.Errorf("%q is no flag: proxy -h lists them", fs.Arg(0))
	case o.timeout <= 0 || o.grace < 0 || o.readTimeout <= 0 || o.writeTimeout <= 0:
		return o, fmt.Errorf("-timeout %v -grace %v -read-timeout %v -write-timeout %v: give durations such as 10m and 30s", o.timeout, o.grace, o.readTimeout, o.writeTimeout)
	case o.keep != 0 && o.keep < time.Hour:
		return o, fmt.Errorf("-keep %v: give an hour or more, such as 168h", o.keep)
	case o.terminal != "auto" && o.terminal != "tmux" && o.terminal != "pty":
		return o, fmt.Errorf("-terminal %s: use auto, tmux or pty", o.terminal)
	case o.turns < 1 || o.waiting < 0 || o.warm < 0 || o.maxBody < 1:
		return o, fmt.Errorf("-turns %d -waiting %d -warm %d -max-body %d: give at least one turn and one byte, and nothing below zero", o.turns, o.waiting, o.warm, o.maxBody)
	case o.model != "" && !isClaude.MatchString(o.model):
		return o, fmt.Errorf("-model %s: give opus, sonnet, haiku or a name that begins with claude-", o.model)
	case o.demo && o.agent != "":
		return o, errors.New("-demo brings its own agent: leave -agent out")
	}
	for _, dir := range []*string{&o.home, &o.workdir} {
		if *dir == "" {
			continue
		}
		if *dir, err = filepath.Abs(*dir); err != nil {
			return o, err
		}
	}
	return o, nil
}
