package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/hook"
	"github.com/tuiturn/tuiturn/internal/redact"
	"github.com/tuiturn/tuiturn/internal/terminal"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// closeGrace is how long an agent may take to end after a hang-up before it is
// killed. A turn that is cancelled is to be over after 2 s.
const closeGrace = 1500 * time.Millisecond

// A setup is what is fixed when an agent starts: a Request but for its prompt
// and its callbacks. Agents of one Runner and one setup can stand in for each
// other.
type setup struct {
	Request
	workdir string // physical: the agent names its transcript's folder after it
	stream  bool   // the agent is to report what it shows
	resume  bool   // the session is one that there has been
}

// setup is the setup that a request needs. op names the part that failed.
func (r *Runner) setup(req Request) (s setup, op string, err error) {
	if err := r.check(); err != nil {
		return s, "starting the turn", err
	}
	if err := checkEnv("Request.Env", req.Env); err != nil {
		return s, "starting the turn", err
	}
	if s, err = newSetup(req); err != nil {
		return s, "checking the request", err
	}
	return s, "", nil
}

// newSetup is the setup that a request needs.
func newSetup(req Request) (setup, error) {
	s := setup{Request: req, stream: req.OnDelta != nil}
	s.Prompt, s.AllowCommands, s.OnDelta, s.OnPermission, s.Trace = "", false, nil, nil, nil
	s.Env, s.Tools = slices.Clone(s.Env), slices.Clone(s.Tools) // a pool uses them when the caller has gone on
	workdir := req.WorkDir
	if workdir == "" {
		workdir = "."
	}
	workdir, err := filepath.Abs(workdir)
	if err == nil {
		s.workdir, err = filepath.EvalSymlinks(workdir)
	}
	if err != nil {
		return s, fmt.Errorf("%w: name a directory that exists in Request.WorkDir", err)
	}
	s.WorkDir = s.workdir
	return s, s.check()
}

// check refuses what no agent can be asked for.
func (s *setup) check() error {
	if s.NoTools && len(s.Tools) > 0 {
		return errors.New("Request.NoTools and Request.Tools are both set: set one of them")
	}
	for _, name := range s.Tools {
		if !toolName.MatchString(name) {
			return fmt.Errorf("Request.Tools: %q is no tool's name", name)
		}
	}
	if s.MCPConfig != "" {
		if s.NoTools {
			return errors.New("Request.NoTools and Request.MCPConfig are both set: set one of them")
		}
		if _, err := parseMCP(s.MCPConfig); err != nil {
			return err
		}
	}
	if strings.Contains(s.SystemPrompt, "\x00") || !utf8.ValidString(s.SystemPrompt) {
		return errors.New("Request.SystemPrompt is not text in UTF-8")
	}
	return nil
}

var toolName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// A pane is an agent in its terminal, with a directory of its own. It takes one
// prompt, or those of a conversation. What it needs exists, and is known by its
// session's name, before the agent is started.
type pane struct {
	setup    setup
	runner   *Runner
	agent    agent.Agent
	place    *place
	leave    func() // the place
	untold   bool   // nobody waits for what close returns but the place
	session  string
	kind     TerminalKind
	redactor *redact.Redactor

	dir      string       // the door, the settings, what the hooks report, the agent's TMPDIR
	files    []agent.File // in it, TMPDIR and the door's aside
	door     *door
	cfg      terminal.Config
	term     terminal.Terminal
	declined int           // menus answered with Escape
	refused  *BlockedError // the last of them, until the input line is there
}

// prepare does all that can fail before a process is started. op names the part
// that failed.
func (p *pane) prepare(ctx context.Context) (op string, err error) {
	r := p.runner
	if p.kind, err = r.terminal(); err != nil {
		return "choosing a terminal", err
	}
	env := tuiauth.Environ(r.Environ, r.Home, r.Token)
	path, err := p.agent.Path(lookup(append(env, r.Env...), "PATH"))
	if err != nil {
		return "finding the agent", err
	}
	if err := p.prepareHome(ctx); err != nil {
		return "preparing the home", err
	}
	if p.dir, err = os.MkdirTemp(p.place.lease.Dir(), "t-"); err != nil {
		return "making the turn's directory", err
	}
	launch, err := p.agent.Launch(p.request(sync.OnceValue(func() string { return p.version(ctx, path) })))
	if err != nil {
		return "checking the request", err
	}
	p.files = append(launch.Files, agent.File{Path: p.hooksFile()}) // before anybody else makes one
	if err := p.make(); err != nil {
		return "making the turn's directory", err
	}
	env = append(env, hook.FileVar+"="+p.hooksFile())
	env = append(env, launch.Env...)
	env = append(env, p.door.env()...)
	env = append(env, r.Env...)
	env = append(env, p.setup.Env...)
	if err := p.audit(env); err != nil {
		return "checking the credential", err
	}
	name := "turn-" + p.session
	p.cfg = terminal.Config{
		Name: name,
		Mark: p.place.lease.Mark(name),
		Path: path,
		Args: launch.Args,
		Env:  env,
		Dir:  p.setup.workdir,
	}
	return "", nil
}

// request is what the agent is asked to start.
func (p *pane) request(version func() string) *agent.Start {
	s := &p.setup
	return &agent.Start{
		Session: p.session, Resume: s.resume,
		Model: s.Model, Effort: s.Effort, SystemPrompt: s.SystemPrompt, MCPConfig: s.MCPConfig,
		Tools: s.Tools, NoTools: s.NoTools, AllowProject: s.AllowProject, AllowMentions: s.AllowMentions,
		Stream: s.stream, Dir: p.dir, Tmp: p.tmp(), Version: version,
	}
}

// version is the agent's, empty if it cannot be told.
func (p *pane) version(ctx context.Context, path string) string {
	r := p.runner
	version, err := p.agent.Version(ctx, path, r.tokenless())
	if err != nil {
		r.log().Warn("what only some versions have is not used", "session", p.session, "error", err)
	}
	return version
}

// prepareHome makes the home what it is to be. A login that somebody left there
// is worth a warning: it still lies beside its old place.
func (p *pane) prepareHome(ctx context.Context) error {
	report, err := tuiauth.PrepareHomeContext(ctx, p.runner.Home, p.setup.workdir)
	log := p.runner.log().With("session", p.session)
	if len(report.MovedAside)+len(report.Unlinked) > 0 {
		log.Warn("there was a login in the agent's home", "moved_aside", report.MovedAside, "unlinked", report.Unlinked)
	}
	log.Debug("home prepared", "report", report)
	return err
}

// audit refuses an environment in which another credential than the Runner's
// would be used, or sent elsewhere.
func (p *pane) audit(env []string) error {
	workdir := ""
	if p.setup.AllowProject {
		workdir = p.setup.workdir
	}
	sources, err := tuiauth.Audit(p.runner.Home, workdir, env)
	p.runner.log().Debug("credentials audited", "session", p.session, "sources", sources)
	return err
}

// maxBoots is how often an agent is started for one pane.
const maxBoots = 3

// boot starts the agent and waits until it takes a prompt.
//
// An agent that asks whether to trust a directory that was made trusted a moment
// ago has been undone by another one in the same home, which had read
// .claude.json before and wrote it after. It is put right and started again.
func (p *pane) boot(ctx context.Context) (op string, err error) {
	for n := 1; ; n++ {
		if p.term, err = p.place.start(ctx, p.kind, p.cfg); err != nil {
			return "starting the agent", cause(ctx, err)
		}
		err := p.ready(ctx)
		if err == nil {
			return "", nil
		}
		blocked, _ := err.(*BlockedError)
		untrusted := blocked != nil && blocked.Kind == "trust"
		missed := agentEnded(err) && p.missing() != nil // 2.1.332 ends if its settings file is not there
		if !untrusted && !missed || n == maxBoots {
			return "waiting for the agent to take a prompt", err
		}
		p.runner.log().Info("the directory's trust was undone, or files are gone; starting again", "session", p.session)
		if err := p.endAgent(); err != nil {
			return "starting the agent again", err
		}
		if op, err := p.recheck(ctx); err != nil {
			return op, err
		}
	}
}

// recheck makes true again what was true when the pane was prepared.
func (p *pane) recheck(ctx context.Context) (op string, err error) {
	if err := p.mend(); err != nil {
		return "making the turn's files again", err
	}
	if err := p.prepareHome(ctx); err != nil {
		return "preparing the home again", cause(ctx, err)
	}
	if err := p.audit(p.cfg.Env); err != nil {
		return "checking the credential again", err
	}
	return "", nil
}

// explain returns the last screen, redacted, and an error that does not say
// more than may be said. ctx may have ended.
func (p *pane) explain(ctx context.Context, r *redact.Redactor, err error) (screen string, _ error) {
	if p.term == nil {
		return "", p.blame(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	last, screenErr := p.term.Screen(ctx)
	if screenErr == nil {
		screen = r.Tail(last)
	}
	if agentEnded(err) {
		<-p.term.Done() // soon: the method that failed knew it
		err = &ExitError{p.term.Status()}
		if p.refused != nil {
			err = fmt.Errorf("%w; it was declined with Escape, and %w", redactBlocked(r, p.refused), err)
		}
	}
	if b, ok := err.(*BlockedError); ok {
		err = redactBlocked(r, b)
		if rows := strings.Count(last, "\n"); b.Kind == "unknown" && screenErr == nil && rows < minRows {
			err = fmt.Errorf("the agent's terminal has %d rows, too few for what it draws: leave its tmux pane its size: %w", rows, err)
		}
		if fault := p.agent.Explain(last).Fault; b.Kind == agent.Settings && fault != "" {
			err = fmt.Errorf("%w: %s", err, r.Redact(fault))
		}
	}
	return screen, p.full(p.blame(err))
}

// minRows is how many rows a screen has on which a dialog, or the input line with
// its rules and footer, can be told.
const minRows = 10

// redactBlocked is b without what may not be shown.
func redactBlocked(r *redact.Redactor, b *BlockedError) *BlockedError {
	return &BlockedError{b.Kind, r.RedactAll(b.Options), b.Highlighted}
}

// close ends the agent and removes the pane's files, however far it has come.
func (p *pane) close() error {
	defer p.leave()
	var all *multierror.Error
	if err := p.endAgent(); err != nil {
		all = multierror.Append(all, err)
	}
	if p.dir != "" {
		if err := p.place.lease.Remove(p.dir); err != nil {
			all = multierror.Append(all, err)
		}
	}
	err := all.ErrorOrNil()
	if err != nil && p.untold {
		p.place.failed(err)
	}
	return err
}

// endAgent ends the agent and everything it started.
func (p *pane) endAgent() error {
	if p.term == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	return p.term.Close(ctx)
}
