package tuiturn

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/secret"
	"github.com/tuiturn/tuiturn/internal/terminal"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// closeGrace is how long an agent may take to end after a hang-up before it is
// killed.
const closeGrace = 2 * time.Second

// Turn gives the agent one prompt and returns its answer. It returns when the
// agent and everything it started are gone, also when ctx ends, which ends the
// turn at whatever stage it is.
//
// The Result is never nil: with an error, which is an *Error, it holds what is
// known. An error about the teardown may come with a complete answer.
func (r *Runner) Turn(ctx context.Context, req Request) (*Result, error) {
	began := time.Now()
	res := &Result{SessionID: newUUID()}
	t := &turn{runner: r, req: &req, res: res, agent: r.agent(), lap: began}
	t.redactor = newRedactor(r.secrets(&req)...)

	op, err := t.run(ctx)
	res.Timings.Total = time.Since(began)
	if err == nil {
		return res, nil
	}
	return res, &Error{Op: op, SessionID: res.SessionID, Screen: t.lastScreen, Err: err}
}

// secrets are the values that no error or log may show.
func (r *Runner) secrets(req *Request) []string {
	return append(secret.Values(slices.Concat(r.Env, req.Env, r.Environ)), r.Token.Reveal(), normalize(req.Prompt))
}

// A turn is the state of one Turn.
type turn struct {
	runner   *Runner
	req      *Request
	res      *Result
	agent    Agent
	redactor *redactor
	place    *place

	dir        string // the turn's own, with the door and the agent's TMPDIR
	workdir    string // physical
	prompt     string // as it goes in
	door       *door
	declined   int  // menus answered with Escape
	pasted     bool // it went in by the paste door
	term       terminal.Terminal
	log        *transcript.Turn
	deltas     *transcript.Deltas // nil: nobody asks for them
	events     chan transcript.Event
	hooks      chan hookEvent
	stopping   bool // the agent's Stop hooks have begun to run
	followErr  chan error
	lap        time.Time
	lastScreen string // redacted, set when it can explain a failure
}

// took returns the time since the last call.
func (t *turn) took() time.Duration {
	now := time.Now()
	d := now.Sub(t.lap)
	t.lap = now
	return d
}

// run is the whole life of the turn. op names the part that failed.
func (t *turn) run(ctx context.Context) (op string, err error) {
	if err := ctx.Err(); err != nil {
		return "starting the turn", why(ctx)
	}
	if err := t.runner.check(); err != nil {
		return "starting the turn", err
	}
	if err := checkEnv("Request.Env", t.req.Env); err != nil {
		return "starting the turn", err
	}
	if err := checkPrompt(t.req.Prompt); err != nil {
		return "reading the prompt", err
	}
	t.prompt = t.agent.disarm(t.req)
	ctx, place, done, err := t.runner.open(ctx)
	if err != nil {
		return "starting the turn", err
	}
	defer done()
	t.place = place

	// Deferred: a callback may panic, and the host recover.
	defer func() {
		closeErr := t.tearDown()
		t.res.Timings.Teardown = t.took()
		switch {
		case closeErr == nil:
		case err == nil:
			op, err = "tearing down", closeErr
		default:
			err = multierror.Append(err, fmt.Errorf("tearing down: %w", closeErr))
		}
	}()
	cfg, op, err := t.prepare(ctx)
	if err == nil {
		op, err = t.live(ctx, cfg)
	}
	if t.res.Timings.Boot == 0 {
		t.res.Timings.Boot = t.took() // it failed before the agent was ready
	}
	return op, err
}

// prepare does all that can fail before a process is started.
func (t *turn) prepare(ctx context.Context) (cfg terminal.Config, op string, err error) {
	r := t.runner
	if t.res.Terminal, err = r.terminal(); err != nil {
		return cfg, "choosing a terminal", err
	}
	workdir := t.req.WorkDir
	if workdir == "" {
		workdir = "."
	}
	if workdir, err = filepath.Abs(workdir); err == nil {
		// The agent sees the physical directory, and names its transcript's
		// folder after it.
		t.workdir, err = filepath.EvalSymlinks(workdir)
	}
	if err != nil {
		return cfg, "entering the working directory", fmt.Errorf("%w: name a directory that exists in Request.WorkDir", err)
	}
	env := tuiauth.Environ(r.Environ, r.Home, r.Token)
	path, err := t.agent.path(lookup(append(env, r.Env...), "PATH"))
	if err != nil {
		return cfg, "finding the agent", err
	}
	if err := t.prepareHome(ctx); err != nil {
		return cfg, "preparing the home", err
	}

	if t.dir, err = os.MkdirTemp(t.place.lease.Dir(), "t-"); err != nil {
		return cfg, "making the turn's directory", err
	}
	// What the agent leaves in its temporary directory goes with the turn.
	// Keep its name short: 2.1.330 makes a socket some 20 bytes further down,
	// and uses /tmp where the path is too long for one.
	tmp := filepath.Join(t.dir, "t")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return cfg, "making the turn's directory", err
	}
	if t.door, err = newDoor(t.dir); err != nil {
		return cfg, "making the turn's directory", err
	}
	settings := filepath.Join(t.dir, "settings.json")
	if err := os.WriteFile(settings, []byte(t.agent.settings(t.req, t.version(ctx, path))), 0o600); err != nil {
		return cfg, "making the turn's directory", err
	}
	env = append(env, hooksVar+"="+t.hooksFile())
	env = append(env, t.agent.env(t.req, tmp)...)
	env = append(env, t.door.env()...)
	env = append(env, r.Env...)
	env = append(env, t.req.Env...)
	if err := t.audit(env); err != nil {
		return cfg, "checking the credential", err
	}
	name := "turn-" + t.res.SessionID
	return terminal.Config{
		Name: name,
		Mark: t.place.lease.Mark(name),
		Path: path,
		Args: t.agent.args(t.res.SessionID, t.req, settings),
		Env:  env,
		Dir:  t.workdir,
	}, "", nil
}

// version is the agent's, where it is needed; empty if it cannot be told.
func (t *turn) version(ctx context.Context, path string) string {
	if t.req.OnDelta == nil {
		return ""
	}
	r := t.runner
	version, err := t.agent.version(ctx, path, append(tuiauth.Environ(r.Environ, r.Home, ""), r.Env...))
	if err != nil {
		r.log().Warn("the answer is streamed by the message only", "session", t.res.SessionID, "error", err)
	}
	return version
}

// prepareHome makes the home what it is to be. A login that somebody left there
// is worth a warning: it still lies beside its old place.
func (t *turn) prepareHome(ctx context.Context) error {
	report, err := tuiauth.PrepareHomeContext(ctx, t.runner.Home, t.workdir)
	log := t.runner.log().With("session", t.res.SessionID)
	if len(report.MovedAside)+len(report.Unlinked) > 0 {
		log.Warn("there was a login in the agent's home", "moved_aside", report.MovedAside, "unlinked", report.Unlinked)
	}
	log.Debug("home prepared", "report", report)
	return err
}

// audit refuses an environment in which another credential than the Runner's
// would be used, or sent elsewhere.
func (t *turn) audit(env []string) error {
	workdir := ""
	if t.req.AllowProject {
		workdir = t.workdir
	}
	sources, err := tuiauth.Audit(t.runner.Home, workdir, env)
	t.runner.log().Debug("credentials audited", "session", t.res.SessionID, "sources", sources)
	return err
}

// live is the part of the turn in which the agent runs.
func (t *turn) live(ctx context.Context, cfg terminal.Config) (op string, err error) {
	times := &t.res.Timings
	t.req.Trace.mark(func(tr *Trace) func() { return tr.Booting })
	stop := t.follow(ctx)
	defer func() {
		stop()
		t.record() // on every path: a turn that failed has been paid for too
	}()

	if op, err := t.boot(ctx, cfg); err != nil {
		return op, err
	}
	if err := t.deliver(ctx); err != nil {
		return "handing over the prompt", t.explain(ctx, err)
	}
	times.Boot = t.took()
	t.req.Trace.mark(func(tr *Trace) func() { return tr.Ready })

	err = t.submit(ctx)
	times.Submit = t.took()
	if err != nil {
		return "submitting the prompt", t.explain(ctx, err)
	}
	t.req.Trace.mark(func(tr *Trace) func() { return tr.Submitted })

	err = t.answer(ctx)
	times.Answer = t.took()
	if err != nil {
		return "waiting for the answer", t.explain(ctx, err)
	}
	t.req.Trace.mark(func(tr *Trace) func() { return tr.Done })
	return t.settle()
}

// maxBoots is how often an agent is started for one turn.
const maxBoots = 3

// boot starts the agent and waits until it takes a prompt.
//
// An agent that asks whether to trust a directory that was made trusted a moment
// ago has been undone by another one in the same home, which had read
// .claude.json before and wrote it after. It is put right and started again.
func (t *turn) boot(ctx context.Context, cfg terminal.Config) (op string, err error) {
	for n := 1; ; n++ {
		if t.term, err = t.place.start(ctx, t.res.Terminal, cfg); err != nil {
			return "starting the agent", err
		}
		err := t.ready(ctx)
		if err == nil {
			return "", nil
		}
		blocked, ok := err.(*BlockedError)
		if !ok || blocked.Kind != "trust" || n == maxBoots {
			return "waiting for the agent to take a prompt", t.explain(ctx, err)
		}
		t.runner.log().Info("the directory's trust was undone; starting again", "session", t.res.SessionID)
		if err := t.endAgent(); err != nil {
			return "starting the agent again", err
		}
		if err := t.prepareHome(ctx); err != nil {
			return "preparing the home again", err
		}
		if err := t.audit(cfg.Env); err != nil {
			return "checking the credential again", err
		}
	}
}

// explain adds the last screen to the turn's error where it tells more than the
// error does. ctx may have ended.
func (t *turn) explain(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if screen, screenErr := t.term.Screen(ctx); screenErr == nil {
		t.lastScreen = t.redactor.screenTail(screen)
	}
	if errors.Is(err, os.ErrProcessDone) {
		<-t.term.Done() // soon: the method that failed knew it
		err = &ExitError{t.term.Status()}
	}
	if b, ok := err.(*BlockedError); ok {
		err = &BlockedError{b.Kind, t.redactor.redactAll(b.Options), b.Highlighted}
	}
	return err
}

// follow begins to read the transcript and what the hooks report, from before
// there is any.
func (t *turn) follow(ctx context.Context) (stop func()) {
	home := t.runner.Home.Dir
	t.log = &transcript.Turn{SessionID: t.res.SessionID, Match: t.isPrompt, Settle: silence}
	if t.req.OnDelta != nil {
		t.deltas = transcript.NewDeltas(t.log)
	}
	t.events = make(chan transcript.Event)
	t.hooks = make(chan hookEvent)
	t.followErr = make(chan error, 1)
	follower := transcript.Follower{
		Path:  transcript.Path(home, t.workdir, t.res.SessionID),
		Idle:  silence,
		Drift: &t.runner.drift,
		Log:   t.runner.Log,
	}
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() { t.followHooks(ctx) })
	following.Go(func() {
		for ev, err := range follower.Events(ctx) {
			if err != nil {
				t.followErr <- err
				return
			}
			ev.Raw = nil // valid only inside this loop
			select {
			case t.events <- ev:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		following.Wait()
	}
}

// tearDown ends the agent and removes the turn's files, whatever came of it.
func (t *turn) tearDown() error {
	var all *multierror.Error
	if err := t.endAgent(); err != nil {
		all = multierror.Append(all, err)
	}
	if t.dir != "" {
		if err := os.RemoveAll(t.dir); err != nil {
			all = multierror.Append(all, err)
		}
	}
	return all.ErrorOrNil()
}

// endAgent ends the agent and everything it started.
func (t *turn) endAgent() error {
	if t.term == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	return t.term.Close(ctx)
}

func lookup(env []string, name string) (value string) {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

// newUUID returns a random UUID (version 4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
