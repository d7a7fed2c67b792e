package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// A runner is a tuiturn.Runner and what goes with it.
type runner struct {
	tuiturn.Runner
	request tuiturn.Request // what all turns have in common
	clean   func()
}

// newRunner is the Runner that the options ask for.
func (p *proxy) newRunner(o options, log *slog.Logger) (_ *runner, err error) {
	r := &runner{clean: func() {}}
	defer func() {
		if err != nil {
			r.clean()
		}
	}()
	r.Agent = tuiturn.Claude{Path: o.agent}
	r.Token = tuiauth.Secret(lookup(p.environ, "CLAUDE_CODE_OAUTH_TOKEN"))
	r.Environ, r.Env = p.environ, o.env
	r.Log = log
	r.Limits = tuiturn.Limits{Turns: o.turns, Waiting: o.waiting}
	if o.waiting == 0 {
		r.Limits.Waiting = -1
	}
	r.Pool.Size = o.warm
	if o.terminal != "auto" {
		r.Terminal = tuiturn.TerminalKind(o.terminal)
	}
	if o.demo {
		if err := r.demo(&o); err != nil {
			return nil, err
		}
	}
	if r.Home, err = tuiauth.ResolveHome(tuiauth.HomeConfig{RealHome: p.home, Configured: o.home, EnvToken: r.Token != ""}); err != nil {
		return nil, err
	}
	if o.workdir == "" {
		if p.home == "" {
			return nil, errors.New("your home directory is not known: set HOME, or name a directory in -workdir")
		}
		o.workdir = filepath.Join(p.home, ".tuiturn", "proxy")
		if err := os.MkdirAll(o.workdir, 0o700); err != nil {
			return nil, fmt.Errorf("%w: name another directory in -workdir", err)
		}
	}
	r.request = tuiturn.Request{Model: o.model, WorkDir: o.workdir, Tools: o.tools, NoTools: len(o.tools) == 0}
	return r, nil
}

// warm makes agents stand ready for the first requests, whole and streamed; for
// which others to be ready is learned from those that come.
func (r *runner) warm(ctx context.Context, log *slog.Logger) {
	streamed := r.request
	streamed.OnDelta = func(tuiturn.Delta) {}
	for _, req := range []tuiturn.Request{r.request, streamed} {
		if err := r.Warm(ctx, req); err != nil {
			if ctx.Err() == nil && !errors.Is(err, tuiturn.ErrClosed) {
				log.Warn("no agent stands ready", "error", err)
			}
			return
		}
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
