package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// A runner is a tuiturn.Runner with the settings of its turns.
type runner struct {
	tuiturn.Runner
	request tuiturn.Request // what all turns have in common
	clean   func()
}

// newRunner makes the Runner that the options describe.
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
	if o.keep > 0 && r.Home.Mode != tuiauth.Isolated {
		return nil, errors.New("-keep removes sessions, and those in your own home are yours: set CLAUDE_CODE_OAUTH_TOKEN, and the agent gets a home of its own")
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

// warm starts agents in advance for the first requests, whole and streamed. The Runner
// learns from later requests which other kinds it needs.
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

// prune removes the sessions that have been unused for that long, now and every hour.
func (r *runner) prune(ctx context.Context, keep time.Duration, log *slog.Logger) {
	for {
		report, err := transcript.Prune(ctx, r.Home.Dir, transcript.PruneConfig{MaxAge: keep})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !errors.Is(err, fs.ErrNotExist): // there is no home before the first turn
			log.Warn("removing old sessions", "error", err)
		case len(report.Removed) > 0:
			log.Info("old sessions removed", "sessions", len(report.Removed), "bytes", report.Freed)
		}
		select {
		case <-time.After(time.Hour):
		case <-ctx.Done():
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
