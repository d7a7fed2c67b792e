package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/admission"
	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/drive"
	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// A Runner runs turns of one agent in one home. Home is required. Its fields
// must not be changed after the first turn; its methods are safe for concurrent
// use. Close it when done: until then it may keep a tmux server.
type Runner struct {
	// Agent is the agent; nil means Claude{}, found in PATH.
	Agent Agent

	// Home is the agent's home: see tuiauth.ResolveHome. It is prepared anew
	// for every turn, so what an operator does to it meanwhile is put right.
	Home tuiauth.Home

	// Token is the long-lived token that the agent logs in with, empty where it
	// uses the home's own login. It reaches the agent's environment and nothing
	// else: no argument, no file, no log.
	Token tuiauth.Secret

	// Environ is the environment to take the agent's from, usually
	// os.Environ(). Only what tuiauth.Environ allows passes. Nil means an
	// environment of defaults.
	Environ []string

	// Env is added to the agent's environment, "KEY=VALUE" each, without a
	// filter. HOME and CLAUDE_CONFIG_DIR, which are Home's to set, and
	// CLAUDE_CODE_OAUTH_TOKEN, which is Token's, are refused. Environ and Env hold
	// secrets: don't print a Runner.
	Env []string

	// Terminal is the kind of terminal to use.
	Terminal TerminalKind

	// TempDir is where the Runner's private directory is made; empty means
	// os.TempDir(). Keep it short: there are sockets in it, whose paths may
	// have about 100 bytes.
	TempDir string

	// TmuxSocket is the socket of a running tmux server in which the agents'
	// sessions are made, for the people who use that server to look on; empty
	// means a server of the Runner's own. See tmuxctl.Server.Shared.
	TmuxSocket string

	// SweepEvery is how often to look for what hosts that have died left behind,
	// in TempDir and among the processes of this user: before the first turn, and
	// then while no turn runs. Zero means ten minutes, less means never. See
	// reaper.Sweep: what belongs to a host that lives is never touched.
	SweepEvery time.Duration

	// Limits say how many turns run at once; zero means as many as come.
	// SetLimits changes them later.
	Limits Limits

	// Pool says how many agents to keep ready; zero means none.
	Pool Pool

	// Log, if not nil, is told what an operator should know.
	Log *slog.Logger

	drift     transcript.Drift
	counts    tally
	admission admission.Queue

	mu       sync.Mutex
	place    *place         // made with the first turn
	retiring sync.WaitGroup // places that were replaced
	retired  []*place       // those of them that could not be closed
	before   *lease.Lease   // of the place that was replaced last; nil: none was
	sweeper  *sweeper       // made with the first turn; nil: none
	pool     *pool          // the same
	cancel   context.CancelCauseFunc
	ctx      context.Context // ends with Close
	closed   bool
}

// Close ends the turns that run, which fail with ErrClosed, and everything that
// the Runner has started, and removes its files. When it returns nothing runs;
// the error tells what could not be ended. Close may be called again and from
// any goroutine.
func (r *Runner) Close() error {
	r.mu.Lock()
	r.closed = true
	place := r.place
	if r.cancel != nil {
		r.cancel(ErrClosed)
	}
	r.mu.Unlock()
	r.sweeper.wait()
	r.pool.wait()
	r.retiring.Wait()
	var all *multierror.Error
	for _, p := range r.retired {
		if err := p.close(); err != nil {
			all = multierror.Append(all, err)
		}
	}
	if place != nil {
		place.turns.Wait()
		if err := place.close(); err != nil {
			all = multierror.Append(all, err)
		}
	}
	if all != nil {
		return fmt.Errorf("closing the Runner: %w", all)
	}
	return nil
}

func (r *Runner) agent() agent.Agent {
	if r.Agent == nil {
		return defaultAgent.agent()
	}
	return r.Agent.agent()
}

func (r *Runner) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

// check refuses a Runner that cannot work.
func (r *Runner) check() error {
	if r.Home.Dir == "" {
		return errors.New("the Runner has no home: set Runner.Home, see tuiauth.ResolveHome")
	}
	if r.TmuxSocket != "" && r.Terminal == Pty {
		return errors.New("Runner.TmuxSocket names a tmux server and Runner.Terminal a pty: set one of them")
	}
	if err := r.checkEnv("Runner.Env", r.Env); err != nil {
		return err
	}
	if r.Home.Mode == tuiauth.Isolated || r.Token != "" {
		if err := tuiauth.CheckToken(r.Token); err != nil {
			return fmt.Errorf("the Runner's token: %w", err)
		}
	}
	return nil
}

// host is what the Runner's agents share.
func (r *Runner) host() *drive.Host {
	return &drive.Host{Home: r.Home, Token: r.Token, Environ: r.Environ, Env: r.Env, Log: r.log(), Drift: &r.drift}
}

// terminal decides where turns run.
func (r *Runner) terminal() (TerminalKind, error) {
	if r.Terminal == Auto && r.TmuxSocket != "" {
		return Tmux, nil
	}
	return r.Terminal.resolve()
}

// SetLimits changes Runner.Limits while turns run. It does not end turns that run,
// nor turns that wait.
func (r *Runner) SetLimits(l Limits) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Limits = l
	r.admission.SetLimits(l.Turns, l.waiting())
}

func (r *Runner) checkEnv(field string, env []string) error {
	return checkEnv(field, env, r.agent().Traits())
}
