package drive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/hook"
	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/internal/redact"
	"github.com/tuiturn/tuiturn/internal/terminal"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// closeGrace is how long an agent may take to end after a hang-up before it is
// killed. A turn that is cancelled is to be over after 2 s.
const closeGrace = 1500 * time.Millisecond

// A Host is what all agents of one host share.
type Host struct {
	Home    tuiauth.Home
	Token   tuiauth.Secret
	Environ []string // see tuiauth.Environ
	Env     []string // beside it
	Log     *slog.Logger
	Drift   *transcript.Drift
}

// Tokenless is the agent's environment for what needs no login.
func (h *Host) Tokenless() []string {
	return append(tuiauth.Environ(h.Environ, h.Home, ""), h.Env...)
}

// A Config says what to start.
type Config struct {
	*Host
	Agent    agent.Agent
	Place    *Place
	Terminal string      // see Place.Start
	Start    agent.Start // Home to Version are the Pane's
	Workdir  string      // physical: the agent names its log's folder after it
	Env      []string    // beside the Host's

	// Resumed is the log of the session that Start resumes.
	Resumed string
}

// A Pane is an agent in its terminal, with a directory of its own. It takes one
// prompt, or those of a conversation. What it needs exists, and bears the name
// Start.Session, before the agent is started.
type Pane struct {
	Config
	Redactor *redact.Redactor // knows what no error and no log may show

	identity

	dir      string       // the door, the agent's files, what its hooks report, its TMPDIR
	files    []agent.File // in it, TMPDIR and the door's aside
	lost     error        // what of all that has been removed and was made again; nil: nothing
	door     *door
	sole     bool // no other Stop hook was there before the start, and no command may have added one
	cfg      terminal.Config
	term     terminal.Terminal
	stood    bool          // the agent has shown its input line
	looks    atomic.Int64  // at the screen
	declined int           // menus that were left without a choice
	refused  *BlockedError // the last of them, until the input line is there
}

// New is a pane to be.
func New(cfg Config, redactor *redact.Redactor) *Pane {
	p := &Pane{Config: cfg, Redactor: redactor, identity: identity{ours: cfg.Start.Session, known: make(chan struct{})}}
	if path := cfg.Agent.Traits().Log.Path; path != nil {
		p.know(cfg.Start.Session, path(cfg.Home.Dir, cfg.Workdir, cfg.Start.Session))
	} else if cfg.Start.Resume {
		p.know(cfg.Start.Session, cfg.Resumed)
	}
	return p
}

// Done is closed when the agent has ended, and Status then tells how. The agent has
// been started.
func (p *Pane) Done() <-chan struct{} { return p.term.Done() }

// Exit is the error of an agent that has ended.
func (p *Pane) Exit() error { return &ExitError{p.term.Status()} }

// Term is the agent's terminal.
func (p *Pane) Term() terminal.Terminal { return p.term }

// Prepare does all that can fail before a process is started. op names the part
// that failed.
func (p *Pane) Prepare(ctx context.Context) (op string, err error) {
	op, err = p.prepare(ctx)
	return op, p.blame(Cause(ctx, err))
}

func (p *Pane) prepare(ctx context.Context) (op string, err error) {
	env := tuiauth.Environ(p.Environ, p.Home, p.Token)
	path, err := p.Agent.Path(Lookup(append(env, p.Host.Env...), "PATH"))
	if err != nil {
		return "finding the agent", err
	}
	if err := p.prepareHome(ctx); err != nil {
		return "preparing the home", err
	}
	if p.dir, err = os.MkdirTemp(p.Place.Lease.Dir(), "t-"); err != nil {
		return "making the turn's directory", err
	}
	p.Start.Home, p.Start.Dir, p.Start.Tmp = p.Home.Dir, p.dir, p.tmp()
	p.door = doorIn(p.dir)
	p.Start.Reach = append(p.door.env(), hook.FileVar+"="+p.hooksFile())
	p.Start.Env = slices.Concat(p.Host.Env, p.Env)
	p.Start.Version = sync.OnceValue(func() string { return p.version(ctx, path) })
	launch, err := p.Agent.Launch(&p.Start)
	if err != nil {
		return "checking the request", err
	}
	p.Start.Version = nil // it holds ctx
	p.sole = p.Agent.SoleStop(&p.Start)
	p.files = append(launch.Files, agent.File{Path: p.hooksFile()}) // before anybody else makes one
	if err := p.make(); err != nil {
		return "making the turn's directory", err
	}
	env = slices.Concat(env, launch.Env, p.Start.Reach, p.Start.Env)
	if err := p.audit(env); err != nil {
		return "checking the credential", err
	}
	name := "turn-" + p.Start.Session
	p.cfg = terminal.Config{
		Name: name,
		Mark: p.Place.Lease.Mark(name),
		Path: path,
		Args: launch.Args,
		Env:  env,
		Dir:  p.Workdir,
	}
	return "", nil
}

// version is the agent's, empty if it cannot be told.
func (p *Pane) version(ctx context.Context, path string) string {
	version, err := p.Agent.Version(ctx, path, p.Tokenless())
	if err != nil {
		p.Log.Warn("what only some versions have is not used", p.LogID(), "error", err)
	}
	return version
}

// prepareHome makes the home what it is to be. A login that somebody left there
// is worth a warning: it still lies beside its old place.
func (p *Pane) prepareHome(ctx context.Context) error {
	report, err := tuiauth.PrepareHomeContext(ctx, p.Home, p.Workdir)
	log := p.Log.With(p.LogID())
	if len(report.MovedAside)+len(report.Unlinked) > 0 {
		log.Warn("there was a login in the agent's home", "moved_aside", report.MovedAside, "unlinked", report.Unlinked)
	}
	log.Debug("home prepared", "report", report)
	return err
}

// audit refuses an environment in which another credential than the Runner's
// would be used, or sent elsewhere.
func (p *Pane) audit(env []string) error {
	workdir := ""
	if p.Start.AllowProject {
		workdir = p.Workdir
	}
	sources, err := tuiauth.Audit(p.Home, workdir, env)
	p.Log.Debug("credentials audited", p.LogID(), "sources", sources)
	return err
}

// maxBoots is how often an agent is started for one pane.
const maxBoots = 3

// Boot starts the agent and waits until it takes a prompt.
//
// An agent that asks whether to trust a directory that was made trusted a moment
// ago has been undone by another one in the same home, which had read
// .claude.json before and wrote it after. It is put right and started again.
func (p *Pane) Boot(ctx context.Context) (op string, err error) {
	for n := 1; ; n++ {
		if p.term, err = p.Place.Start(ctx, p.Terminal, p.cfg); err != nil {
			return "starting the agent", Cause(ctx, err)
		}
		err := p.ready(ctx)
		if err == nil {
			p.learn()
			return "", nil
		}
		blocked, _ := err.(*BlockedError)
		untrusted := blocked != nil && blocked.Kind == agent.Trust
		missed := agentEnded(err) && p.missing() != nil // 2.1.332 ends if its settings file is not there
		if !untrusted && !missed || n == maxBoots {
			return "waiting for the agent to take a prompt", err
		}
		p.Log.Info("the directory's trust was undone, or files are gone; starting again", p.LogID())
		if err := p.endAgent(); err != nil {
			return "starting the agent again", err
		}
		if op, err := p.Recheck(ctx); err != nil {
			return op, err
		}
		if err := os.Truncate(p.hooksFile(), 0); err != nil { // the agent that has ended may have told its name
			return "starting the agent again", err
		}
	}
}

// Recheck makes true again what was true when the pane was prepared.
func (p *Pane) Recheck(ctx context.Context) (op string, err error) {
	if err := p.mend(); err != nil {
		return "making the turn's files again", err
	}
	if err := p.prepareHome(ctx); err != nil {
		return "preparing the home again", Cause(ctx, err)
	}
	if err := p.audit(p.cfg.Env); err != nil {
		return "checking the credential again", err
	}
	return "", nil
}

// Explain returns the last screen, redacted, and an error that does not say
// more than may be said. ctx may have ended.
func (p *Pane) Explain(ctx context.Context, err error) (screen string, _ error) {
	if p.term == nil {
		return "", p.blame(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	last, screenErr := p.term.Screen(ctx)
	if screenErr == nil {
		screen = p.Redactor.Tail(last)
	}
	if agentEnded(err) {
		<-p.term.Done() // soon: the method that failed knew it
		err = &ExitError{p.term.Status()}
		if option := p.Agent.Explain(last).Option; !p.stood && slices.Contains(p.cfg.Args, option) {
			err = p.tooOld(ctx, option, err)
		}
		if p.refused != nil {
			err = fmt.Errorf("%w; it was declined with %s, and %w", redactBlocked(p.Redactor, p.refused), p.Agent.Traits().Keys.Stop, err)
		}
	}
	if b, ok := err.(*BlockedError); ok {
		err = redactBlocked(p.Redactor, b)
		if rows := strings.Count(last, "\n"); b.Kind == unknown && screenErr == nil && rows < minRows {
			err = fmt.Errorf("the agent's terminal has %d rows, too few for what it draws: leave its tmux pane its size: %w", rows, err)
		}
		if fault := p.Agent.Explain(last).Fault; b.Kind == agent.Settings && fault != "" {
			err = fmt.Errorf("%w: %s", err, p.Redactor.Redact(fault))
		}
	}
	return screen, p.full(p.blame(err))
}

// tooOld is the error of an agent that has ended because it does not know an argument.
func (p *Pane) tooOld(ctx context.Context, option string, ended error) error {
	name, version := p.Agent.Traits().Name, "this version"
	if v := p.version(ctx, p.cfg.Path); v != "" {
		version = v
	}
	return fmt.Errorf("%w: %s %s does not know %s (%w): install a newer one; the tests run %s", errors.ErrUnsupported,
		name, version, option, ended, strings.Join(p.Agent.Traits().Tested, ", "))
}

// minRows is how many rows a screen has on which a dialog, or the input line with
// its rules and footer, can be told.
const minRows = 10

// redactBlocked is b without what may not be shown.
func redactBlocked(r *redact.Redactor, b *BlockedError) *BlockedError {
	return &BlockedError{b.Kind, r.RedactAll(b.Options), b.Highlighted}
}

// Well tells whether the agent takes a prompt now.
func (p *Pane) Well(ctx context.Context) error {
	if err := p.mend(); err != nil {
		return err
	}
	select {
	case <-p.term.Done():
		return p.Exit()
	default:
	}
	if proc.Stopped(p.term.Pid()) {
		return ErrStopped
	}
	screen, err := p.term.Screen(ctx)
	if err != nil {
		return err
	}
	if sees := p.Agent.See(screen); !sees.Input || sees.Text != "" {
		return errors.New("it shows something else than an empty input line")
	}
	return nil
}

// Close ends the agent and removes the pane's files, however far it has come.
func (p *Pane) Close() error {
	var all *multierror.Error
	if err := p.endAgent(); err != nil {
		all = multierror.Append(all, err)
	}
	if p.dir != "" {
		if err := p.Place.Lease.Remove(p.dir); err != nil {
			all = multierror.Append(all, err)
		}
	}
	return all.ErrorOrNil()
}

// endAgent ends the agent and everything it started.
func (p *Pane) endAgent() error {
	if p.term == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	return p.term.Close(ctx)
}
