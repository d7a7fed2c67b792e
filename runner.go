package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/admission"
	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/drive"
	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/tmuxctl"
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

// A place is what the turns of a Runner share: a directory of their own, which
// says to whoever sweeps up later whose they are, and a tmux server in it.
type place struct {
	drive.Place
	turns sync.WaitGroup // that run there

	mu   sync.Mutex
	left *multierror.Error // what could not be ended and nobody was told of
}

// failed keeps an error of a teardown that nobody waits for.
func (p *place) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = multierror.Append(p.left, err)
}

func newPlace(ctx context.Context, tempDir, tmuxSocket string) (*place, error) {
	l, err := lease.New(ctx, tempDir)
	if _, dir := errors.AsType[*lease.DirError](err); dir {
		return nil, fmt.Errorf("%w: name another one in Runner.TempDir", err)
	}
	if err != nil {
		return nil, err
	}
	return &place{Place: drive.Place{Lease: l, Tmux: &tmuxctl.Server{TempDir: l.Dir(), Shared: tmuxSocket}}}, nil
}

// close ends the server and everything in it. While something is left the lease
// stays, which tells the next sweep of it.
func (p *place) close() error {
	err := p.Tmux.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.left = multierror.Append(p.left, err)
	}
	if err := p.left.ErrorOrNil(); err != nil {
		return err
	}
	return p.Lease.Release()
}

// open lets a turn in and makes ready what turns share. The caller calls done.
// queued, if not nil, is called if the turn has to wait.
func (r *Runner) open(ctx context.Context, queued func()) (_ context.Context, _ *place, done func(), err error) {
	closed, err := r.begin()
	if err != nil {
		return nil, nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(closed, func() { cancel(ErrClosed) })
	undo := []func(){func() { cancel(nil) }, func() { stop() }}
	all := func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}
	in := false
	defer func() {
		if !in { // err, or queued has panicked
			all()
		}
	}()
	leave, err := r.admission.Enter(ctx, queued)
	if err != nil {
		return nil, nil, nil, drive.Cause(ctx, err)
	}
	undo = append(undo, leave)
	place, err := r.enter(ctx)
	if err != nil {
		return nil, nil, nil, drive.Cause(ctx, err)
	}
	undo = append(undo, place.turns.Done)
	idle, err := r.sweeper.busy(ctx)
	if err != nil {
		return nil, nil, nil, drive.Cause(ctx, err)
	}
	undo = append(undo, idle)
	in = true
	return ctx, place, all, nil
}

// begin starts what runs until Close, with which closed ends.
func (r *Runner) begin() (closed context.Context, err error) {
	first := false
	defer func() {
		if first { // unlocked: a handler may want the Stats
			r.log().Info(r.Home.Why())
		}
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if first = r.ctx == nil; first {
		r.ctx, r.cancel = context.WithCancelCause(context.Background())
		r.drift.Log = r.Log
		r.admission.SetLimits(r.Limits.Turns, r.Limits.waiting())
		if r.SweepEvery >= 0 {
			r.sweeper = r.startSweeper()
		}
		if r.Pool.Size > 0 {
			r.pool = r.startPool()
		}
	}
	return r.ctx, nil
}

// enter counts a turn in and returns what turns share.
func (r *Runner) enter(ctx context.Context) (_ *place, err error) {
	lost := ""
	defer func() {
		if lost != "" { // unlocked: a handler may want the Stats
			r.log().Warn("the Runner's private directory is gone; the next turns have another", "error", drive.Cleaned(lost))
		}
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if r.place != nil {
		if err := r.place.Lease.Check(); err != nil {
			// Whatever cleans the temporary directory took it for abandoned.
			lost = r.place.Lease.Dir()
			r.before = r.place.Lease
			r.retire(r.place)
			r.place = nil
			r.pool.stir() // what stands ready there is of no use
		}
	}
	if r.place == nil {
		if r.before != nil {
			r.before.RemakeParent()
		}
		if r.place, err = newPlace(ctx, r.TempDir, r.TmuxSocket); err != nil {
			return nil, err
		}
	}
	r.place.turns.Add(1)
	return r.place, nil
}

// current tells whether turns still begin in a place.
func (r *Runner) current(p *place) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.place == p && p.Lease.Check() == nil
}

// retire closes a place when its turns have ended.
func (r *Runner) retire(p *place) {
	r.retiring.Go(func() {
		p.turns.Wait()
		if err := p.close(); err != nil {
			r.log().Warn("closing what a cleaner of temporary files has removed", "error", err)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.retired = append(r.retired, p)
		}
	})
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
		return Claude{}.agent()
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
	if err := checkEnv("Runner.Env", r.Env); err != nil {
		return err
	}
	if r.Home.Mode == tuiauth.Isolated || r.Token != "" {
		if err := tuiauth.CheckToken(r.Token); err != nil {
			return fmt.Errorf("the Runner's token: %w", err)
		}
	}
	return nil
}

// checkEnv refuses what is no environment. It does not repeat an entry, which
// may be a secret.
func checkEnv(field string, env []string) error {
	for i, kv := range env {
		switch {
		case strings.Contains(kv, "\x00"):
			return fmt.Errorf("%s[%d] holds a NUL byte: remove it", field, i)
		case !variable.MatchString(kv):
			return fmt.Errorf("%s[%d] is no variable: write KEY=VALUE, with letters, digits and _ in KEY", field, i)
		case strings.HasPrefix(kv, "HOME="), strings.HasPrefix(kv, "CLAUDE_CONFIG_DIR="):
			// The transcript would be looked for elsewhere.
			return fmt.Errorf("%s[%d] moves the agent's home: set Runner.Home instead", field, i)
		case strings.HasPrefix(kv, "CLAUDE_CODE_OAUTH_TOKEN="):
			return fmt.Errorf("%s[%d] is the token: set Runner.Token instead", field, i)
		}
	}
	return nil
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
