package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// A runner is a tuiturn.Runner with the settings of its turns.
type runner struct {
	tuiturn.Runner
	clean func()
}

// newRunner makes the Runner that the options describe.
func (a *ask) newRunner(o options) (*runner, error) {
	r := &runner{clean: func() {}}
	r.Agent = tuiturn.Claude{Path: o.agent}
	r.Token = tuiauth.Secret(lookup(a.environ, "CLAUDE_CODE_OAUTH_TOKEN"))
	r.Environ = a.environ
	r.Env = o.env
	r.Pool.Size = o.warm
	if o.terminal != "auto" {
		r.Terminal = tuiturn.TerminalKind(o.terminal)
	}
	home := o.home
	var err error
	if o.demo {
		if home, err = r.demo(home); err != nil {
			return nil, err
		}
	}
	r.Home, err = tuiauth.ResolveHome(tuiauth.HomeConfig{
		RealHome:   a.home,
		Configured: home,
		EnvToken:   r.Token != "",
	})
	if err != nil {
		r.clean()
		return nil, err
	}
	return r, nil
}

func (r *runner) close() error {
	defer r.clean()
	return r.Close()
}

// demo makes the runner use the built-in agent, in a home of its own unless one
// is given.
func (r *runner) demo(home string) (_ string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	r.Agent = tuiturn.Claude{Path: self}
	r.Env = append(fakeagent.Script{}.Environ(), r.Env...)
	r.Token = "dummy-token-of-the-demo"
	r.SweepEvery = -1 // a demonstration ends nobody's leftovers
	if home == "" {
		if home, err = os.MkdirTemp("", "ask-demo-"); err != nil {
			return "", err
		}
		r.clean = func() { os.RemoveAll(home) }
	}
	return home, nil
}

// turn runs one turn. With -warm it first waits for a ready agent.
func (a *ask) turn(ctx context.Context, r *runner, o options) (*tuiturn.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	req := tuiturn.Request{Prompt: o.prompt, Model: o.model, WorkDir: o.workdir, Trace: a.trace()}
	if o.stream {
		req.OnDelta = a.print()
	}
	if o.warm > 0 {
		if err := r.Warm(ctx, req); err != nil {
			return nil, err
		}
	}
	res, err := r.Turn(ctx, req)
	if o.stream && res.Text != "" && !strings.HasSuffix(res.Text, "\n") {
		fmt.Fprintln(a.stdout)
	}
	return res, err
}

// print prints what the agent says, with an empty line between an aside and the text
// after it.
func (a *ask) print() func(tuiturn.Delta) {
	return func(d tuiturn.Delta) {
		if d.Aside {
			fmt.Fprint(a.stdout, "\n\n")
			return
		}
		fmt.Fprint(a.stdout, d.Text)
	}
}

// trace reports the progress of the turn to a person at a terminal.
func (a *ask) trace() *tuiturn.Trace {
	if !a.progress {
		return nil
	}
	began := time.Now()
	say := func(what string) func() {
		return func() { fmt.Fprintf(a.stderr, "%6.2fs %s\n", time.Since(began).Seconds(), what) }
	}
	return &tuiturn.Trace{
		Booting:   say("booting"),
		Ready:     say("ready"),
		Submitted: say("submitted"),
		Answering: say("answering"),
		Done:      say("done"),
	}
}

func lookup(env []string, name string) (value string) {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}
