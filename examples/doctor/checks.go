package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/reaper"
	"github.com/tuiturn/tuiturn/tmuxctl"
	"github.com/tuiturn/tuiturn/tuiauth"
)

const (
	doInstall = "npm install -g @anthropic-ai/claude-code, or name the program with -agent"
	doToken   = "run claude setup-token and set CLAUDE_CODE_OAUTH_TOKEN to what it prints"
	doSweep   = "run examples/sweep with -kill; a Runner also does it before its first turn"
)

// examine makes all checks, also after one has failed.
func (d *doctor) examine(ctx context.Context, o options) []check {
	r := &tuiturn.Runner{
		Agent:    tuiturn.Claude{Path: o.agent},
		Token:    tuiauth.Secret(lookup(d.environ, "CLAUDE_CODE_OAUTH_TOKEN")),
		Environ:  d.environ,
		TempDir:  o.tempdir,
		Terminal: tuiturn.TerminalKind(strings.TrimPrefix(o.terminal, "auto")),
		// It is only to be told of what others have left.
		SweepEvery: -1,
	}
	var err error
	r.Home, err = tuiauth.ResolveHome(tuiauth.HomeConfig{RealHome: d.home, Configured: o.home, EnvToken: r.Token != ""})

	temp := tempDir(r)
	checks := []check{agent(ctx, r), tmux(ctx, r, temp.Status == okStatus), temp}
	workdir, c := directory(o.workdir)
	checks = append(checks, c)
	if err != nil {
		checks = append(checks, check{"home", wrongStatus, err.Error(), "set HOME, or name a home with -home and set CLAUDE_CODE_OAUTH_TOKEN", ""})
	} else {
		report, err := tuiauth.CheckHome(r.Home, workdir)
		checks = append(checks, home(r.Home, err), writable(r.Home), login(r.Home, report), trust(report, err), credential(r))
	}
	checks = append(checks, leftovers(ctx, r))
	if o.live {
		checks = append(checks, live(ctx, r, workdir, o.timeout))
	}
	return checks
}

func lookup(env []string, name string) (value string) {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

func agent(ctx context.Context, r *tuiturn.Runner) check {
	c := check{Name: "agent", Status: wrongStatus}
	path, version, err := r.Locate(ctx)
	tested := tuiturn.Claude{}.Tested()
	switch {
	case path == "":
		c.Found, c.Do = err.Error(), doInstall
	case err != nil:
		c.Found, c.Do = err.Error(), "run "+path+" --version and see what it says"
	case slices.Contains(tested, version):
		c.Status, c.Found = okStatus, fmt.Sprintf("claude %s in %s: a tested version", version, path)
	default:
		c.Status, c.Found = noteStatus, fmt.Sprintf("claude %s in %s: not one of the tested versions, which are %s", version, path, strings.Join(tested, ", "))
		c.Do = "run doctor -live; if that fails, npm install -g @anthropic-ai/claude-code@" + tested[len(tested)-1]
	}
	return c
}

// tmux starts a server as a Runner does, and in it a program that must receive a
// variable. Without a directory for the server it only looks for tmux.
func tmux(ctx context.Context, r *tuiturn.Runner, try bool) check {
	c := check{Name: "tmux", Status: okStatus}
	if r.Terminal == tuiturn.Pty {
		c.Found = "not used: -terminal pty"
		return c
	}
	path, err := exec.LookPath("tmux")
	if err != nil {
		c.Do = "install tmux (apt-get install tmux, brew install tmux)"
		if r.Terminal == tuiturn.Tmux {
			c.Status, c.Found = wrongStatus, "not installed, but -terminal tmux needs it"
			c.Do += ", or use a pty"
		} else {
			c.Status, c.Found = noteStatus, "not installed: turns run in a plain pty, which nobody can attach to"
		}
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	version, err := exec.CommandContext(ctx, path, "-V").Output()
	c.Found = strings.TrimSpace(string(version)) + " in " + path
	if err == nil && !try {
		c.Status, c.Found, c.Do = noteStatus, c.Found+": not tried", "fix the temporary directory first"
		return c
	}
	if err == nil {
		err = tryTmux(ctx, r.TempDir)
	}
	if err != nil {
		c.Status, c.Found = wrongStatus, c.Found+": "+err.Error()
		c.Do = "install tmux 2.6 or later, or use a pty"
		return c
	}
	c.Found += ": secrets reach a program through a FIFO, never through an argument"
	return c
}

func tryTmux(ctx context.Context, dir string) error {
	server := &tmuxctl.Server{TempDir: dir}
	session, err := server.NewSession(ctx, tmuxctl.SessionConfig{
		Name: "doctor",
		Command: tmuxctl.Command{
			Path: "/bin/sh", Args: []string{"-c", `test "$DOCTOR" = "it's here"`},
			Env: []string{"DOCTOR=it's here"}, Dir: "/",
		},
	})
	if err == nil {
		select {
		case <-session.Done():
			if status := session.Status(); !status.Exited() || status.ExitStatus() != 0 {
				err = errors.New("a program in it did not get its environment")
			}
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	return errors.Join(err, server.Close())
}

// tempDirMax is the longest path for TempDir. A socket's path may have 103 bytes, and
// the rest of the path of a Runner's tmux socket is subtracted from that.
const tempDirMax = 103 - len("/tuiturn-4294967295/s-4294967295/s")

func tempDir(r *tuiturn.Runner) check {
	c := check{Name: "temporary directory", Status: okStatus, Found: r.TempDir}
	if err := tryWrite(r.TempDir); err != nil {
		c.Status, c.Found = wrongStatus, err.Error()
		c.Do = "make it writable for this user, or set TMPDIR to another directory"
	} else if n := len(r.TempDir); n > tempDirMax && r.Terminal != tuiturn.Pty {
		c.Status, c.Found = wrongStatus, fmt.Sprintf("%s: its path has %d bytes; at most %d leave room for tmux's socket below it", r.TempDir, n, tempDirMax)
		c.Do = "set TMPDIR to a shorter path, or use -terminal pty"
	}
	return c
}

// tryWrite tries to write. File modes say little about what root may do, and nothing
// about free space.
func tryWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".tuiturn-doctor-")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

// directory checks the working directory. It also returns a directory for the other
// checks, in case this one cannot be used.
func directory(dir string) (string, check) {
	c := check{Name: "working directory", Status: okStatus}
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	var info os.FileInfo
	if err == nil {
		info, err = os.Stat(abs)
	}
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", abs)
	}
	if err != nil {
		c.Status, c.Found, c.Do = wrongStatus, err.Error(), "name a directory that exists with -workdir"
		return "/", c
	}
	c.Found = abs
	return abs, c
}

func home(h tuiauth.Home, err error) check {
	c := check{Name: "home", Status: okStatus, Found: h.Why()}
	switch {
	case err != nil:
		c.Status, c.Found, c.Do = wrongStatus, err.Error(), "do what it says, or move the home away: a turn then makes a new one"
		if h.Mode == tuiauth.Real {
			c.Do = "do what it says"
		}
	case h.Mode != tuiauth.Isolated:
		c.Status, c.Do = noteStatus, doToken+": then the agent gets a home of its own"
	}
	return c
}

// writable tries to write to the agent's directories. For a directory that does not
// exist yet it tries the parent in which it will be made.
func writable(h tuiauth.Home) check {
	c := check{Name: "home's files", Status: okStatus}
	var tried []string
	for _, dir := range []string{h.Dir, filepath.Join(h.Dir, ".claude"), filepath.Join(h.Dir, ".claude", "projects")} {
		for dir != "/" && missing(dir) {
			dir = filepath.Dir(dir)
		}
		if slices.Contains(tried, dir) {
			continue
		}
		tried = append(tried, dir)
		if err := tryWrite(dir); err != nil {
			c.Status, c.Found = wrongStatus, "not writable: "+err.Error()
			c.Do = fmt.Sprintf("make %s a directory that this user can write to, or name another home with -home", dir)
			return c
		}
	}
	c.Found = "can be written"
	return c
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, os.ErrNotExist)
}

// login looks for logins in a home that should hold none.
func login(h tuiauth.Home, report tuiauth.Report) check {
	c := check{Name: "login in the home", Status: okStatus, Found: "none"}
	if h.Mode != tuiauth.Isolated {
		c.Found = "the operator's own"
		return c
	}
	aside, _ := filepath.Glob(filepath.Join(h.Dir, ".claude", ".credentials.json.aside-*")) // a bad pattern is the only error
	if stale := append(report.MovedAside, report.Unlinked...); len(stale) > 0 {
		c.Status, c.Found = wrongStatus, strings.Join(stale, ", ")+" is a login that the agent would refresh: somebody has logged in in this home"
		c.Do = "delete it, or run a turn, which moves it aside; do not log in in this home again"
	} else if len(aside) > 0 {
		c.Status, c.Found = noteStatus, "logins that were moved aside and may still be valid: "+strings.Join(aside, ", ")
		c.Do = "delete what you do not need"
	}
	return c
}

func trust(report tuiauth.Report, err error) check {
	c := check{Name: "trust", Status: okStatus, Found: "the working directory is trusted in the agent's home"}
	isTrust := func(key string) bool { return strings.HasSuffix(key, ".hasTrustDialogAccepted") }
	switch {
	case err != nil:
		c.Status, c.Found, c.Do = noteStatus, "not known", "fix the home first"
	case slices.ContainsFunc(report.Seeded, isTrust):
		c.Found = "the working directory is not trusted yet; the first turn there changes that"
	}
	return c
}

func credential(r *tuiturn.Runner) check {
	c := check{Name: "credential", Status: wrongStatus}
	if r.Token != "" {
		if err := tuiauth.CheckToken(r.Token); err != nil {
			c.Found, c.Do = err.Error(), doToken
			return c
		}
	}
	// The working directory's settings are not read without AllowProject.
	sources, err := tuiauth.Audit(r.Home, "", tuiauth.Environ(r.Environ, r.Home, r.Token))
	var winner *tuiauth.Source
	unknown := false
	for i := range sources {
		if sources[i].Wins {
			winner = &sources[i]
		}
		unknown = unknown || sources[i].Present == tuiauth.Unknown
	}
	if winner != nil {
		c.Found = winner.Name + " wins: " + winner.Why
	}
	switch {
	case err != nil:
		c.Found, c.Do = err.Error(), "do what it says: until then every turn is refused"
	case winner == nil && unknown:
		c.Status, c.Found, c.Do = noteStatus, "none in the files and the environment; there may be one in the keychain", doToken
	case winner == nil:
		c.Found, c.Do = "there is none", doToken
	case r.Token == "":
		c.Status, c.Do = noteStatus, doToken+": a turn that is ended while the agent refreshes the login loses the login, and every later turn fails with 401"
	default:
		c.Status = okStatus
	}
	return c
}

// leftovers checks for what dead hosts have left.
func leftovers(ctx context.Context, r *tuiturn.Runner) check {
	c := check{Name: "leftovers", Status: okStatus}
	report, err := reaper.Sweep(ctx, reaper.SweepConfig{Dirs: []string{r.TempDir}, DryRun: true})
	dead, hosts := map[reaper.Kind]int{}, 0
	for _, f := range report.Found {
		switch {
		case f.Verdict == reaper.WouldEnd:
			dead[f.Kind]++
		case f.Kind == reaper.Directory && f.Owner != "":
			hosts++
		}
	}
	var counts []string
	for _, k := range []struct {
		kind  reaper.Kind
		named string
	}{{reaper.Process, "processes"}, {reaper.Server, "tmux servers"}, {reaper.Session, "sessions"}, {reaper.Directory, "directories"}} {
		if n := dead[k.kind]; n > 0 {
			counts = append(counts, fmt.Sprintf("%s: %d", k.named, n))
		}
	}
	switch {
	case len(counts) > 0:
		c.Status, c.Found, c.Do = wrongStatus, "dead hosts have left "+strings.Join(counts, ", "), doSweep
	case errors.Is(err, errors.ErrUnsupported):
		c.Status, c.Found, c.Do = noteStatus, "they can't be looked for on "+runtime.GOOS, "look for processes with TUITURN_SESSION in their environment"
	case err != nil:
		c.Status, c.Found, c.Do = wrongStatus, err.Error(), "make "+r.TempDir+" readable for this user"
	default:
		c.Found = fmt.Sprintf("none; %d hosts run", hosts)
	}
	return c
}

func live(ctx context.Context, r *tuiturn.Runner, workdir string, timeout time.Duration) check {
	c := check{Name: "a turn", Status: okStatus}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	result, err := r.Turn(ctx, tuiturn.Request{Prompt: "Answer with the word ready and nothing else.", WorkDir: workdir, NoTools: true})
	if e, ok := errors.AsType[*tuiturn.Error](err); ok {
		c.Screen = e.Screen
	}
	if err = errors.Join(err, r.Close()); err != nil {
		c.Status, c.Found, c.Do = wrongStatus, err.Error(), remedy(err)
		return c
	}
	c.Found = fmt.Sprintf("%q from %s after %.1f s", result.Text, result.Model, result.Timings.Total.Seconds())
	return c
}

// remedy returns what to do about the error of a turn.
func remedy(err error) string {
	switch tuiturn.Outcome(err) {
	case "authentication":
		return "the service does not accept the credential: " + doToken
	case "service":
		return "try again later; if it still fails, check the service's status page and the network (proxy, certificates)"
	case "blocked":
		return "start the agent by hand in its home and answer its question"
	case "deadline":
		return "set a longer -timeout, or see on the screen what the agent waits for"
	case "exited", "stopped":
		return "the screen may say why; run the agent by hand in its home"
	}
	return "fix what is wrong above; the screen may say more"
}
