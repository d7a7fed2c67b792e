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

// A Runner runs turns of one agent in one home. Only Home is required, and Token if Home
// is Isolated. Its fields must not be changed after the first turn. Its methods are safe
// for concurrent use. Close it when done: until then it may keep a tmux server running.
type Runner struct {
	// Agent is the agent to run; nil means Claude{}, found in PATH.
	Agent Agent

	// Home is the agent's home: see tuiauth.ResolveHome. Every turn prepares the home
	// again, which repairs what an operator has changed meanwhile.
	Home tuiauth.Home

	// Token is the long-lived token that the agent logs in with; tuiauth.CheckToken
	// must accept it. Empty means the home's own login, which an isolated home does not
	// have. The token reaches the agent's environment and nothing else: no argument, no
	// file, no log.
	Token tuiauth.Secret

	// Environ is the environment that the agent's variables are taken from, usually
	// os.Environ(). Only variables that tuiauth.Environ allows are taken. Nil means an
	// environment of defaults.
	Environ []string

	// Env is added to the agent's environment, as "KEY=VALUE" entries, without a
	// filter. A turn fails if Env holds HOME or CLAUDE_CONFIG_DIR (set Home instead),
	// CLAUDE_CODE_OAUTH_TOKEN (set Token instead), VISUAL, EDITOR or TUITURN_HOOKS, by
	// which the Runner reaches the agent, or a variable with which no turn works: one that
	// keeps the transcript from being written, or draws for a screen reader. Environ and
	// Env hold secrets: don't print a Runner.
	Env []string

	// Terminal is the kind of terminal that agents run in; the zero value is Auto.
	Terminal TerminalKind

	// TempDir is the directory in which the Runner makes its private directory; empty
	// means os.TempDir(). A path of up to 69 bytes always leaves room for tmux's socket
	// below it, whose path may have 103.
	TempDir string

	// TmuxSocket is the socket of a running tmux server. If it is set, the agents'
	// sessions are made in that server, so that its users can watch. Empty means a
	// server of the Runner's own. See tmuxctl.Server.Shared.
	TmuxSocket string

	// SweepEvery is the interval at which the Runner cleans up after hosts that have
	// died. It looks in TempDir and among the processes of this user, before the first
	// turn, which waits for that some seconds at most, and later while no turn runs.
	// Zero means ten minutes, a negative value means never. What belongs to a live host
	// is never touched: see reaper.Sweep.
	SweepEvery time.Duration

	// Limits limits how many turns run at once; the zero value sets no limit. SetLimits
	// changes the limits later.
	Limits Limits

	// Pool keeps agents ready; the zero value keeps none.
	Pool Pool

	// Log, if not nil, gets a record of each turn (at level Info, or Warn if the turn
	// failed) and what else an operator should know. It gets no secret.
	Log *slog.Logger

	drift     transcript.Drift
	counts    tally
	admission admission.Queue

	mu       sync.Mutex
	place    *place         // made by the first turn
	retiring sync.WaitGroup // places that were replaced
	retired  []*place       // replaced places that could not be closed
	before   *lease.Lease   // lease of the place that was replaced last; nil: none was
	sweeper  *sweeper       // made by the first turn; nil: none
	pool     *pool          // made by the first turn; nil: none
	cancel   context.CancelCauseFunc
	ctx      context.Context // ends with Close
	closed   bool
}

// Close ends the running turns and everything else that the Runner has started, and
// removes its files. These turns, and later turns and conversations, fail with
// ErrClosed. When Close returns, nothing runs any more. The error names what could not
// be ended.
//
// Close may be called again, and from any goroutine except that of a turn: OnDelta, a
// Trace and the body of a Stream loop must not call it, because Close waits for them.
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

// check returns an error for a Runner that cannot work.
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

// host returns the values that all agents of the Runner share.
func (r *Runner) host() *drive.Host {
	return &drive.Host{Home: r.Home, Token: r.Token, Environ: r.Environ, Env: r.Env, Log: r.log(), Drift: &r.drift}
}

// terminal returns the kind of terminal that turns run in.
func (r *Runner) terminal() (TerminalKind, error) {
	if r.Terminal == Auto && r.TmuxSocket != "" {
		return Tmux, nil
	}
	return r.Terminal.resolve()
}

// SetLimits changes Runner.Limits while turns run. It ends neither running nor waiting
// turns.
func (r *Runner) SetLimits(l Limits) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Limits = l
	r.admission.SetLimits(l.Turns, l.waiting())
}

func (r *Runner) checkEnv(field string, env []string) error {
	return checkEnv(field, env, r.agent().Traits())
}
