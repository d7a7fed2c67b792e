package tmuxctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn/internal/fifo"
	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/internal/terminal"
)

// MarkerVar, "TUITURN_SESSION", is an environment variable of every program in a
// session. Whatever the program starts inherits the variable, so that Close finds
// children that have detached. Its value is NAME@LEASE.NUMBER: the session's name,
// the ID of the server's lease, which names the host process, and a number that is
// different for each session.
const MarkerVar = terminal.MarkerVar

// ErrPasteEnd is returned for a paste that holds the sequence ESC [ 201 ~. The
// sequence would end the paste, and the program would take the rest for keys.
var ErrPasteEnd = errors.New("the text holds the end-of-paste sequence ESC [ 201 ~: remove it")

// A SessionConfig says what to run in a session.
type SessionConfig struct {
	// Name is the session's name, [A-Za-z0-9_-]+, unique on the server. (tmux
	// turns "." and ":" into "_", so that two names become one.)
	Name string

	// Command is the program. Its Path and Dir must be absolute. Its Env is the whole
	// environment, to which MarkerVar and, if missing, TERM are added: nothing is
	// inherited, and Unset has no effect. The program, and whatever it starts, writes
	// no core file: the limit (RLIMIT_CORE) is 0.
	Command Command

	// Cols and Rows are the size in cells; zero means 120 by 40.
	Cols, Rows int
}

var sessionName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// shellsOwn are the variables that a pane's shell adds to the empty environment it
// starts with. (Where /bin/sh is bash 5.2 its exec adds SHLVL=0 all the
// same.)
var shellsOwn = []string{"PWD", "OLDPWD", "SHLVL", "_"}

// NewSession starts a program in a new session. It starts the server first if none
// runs. When NewSession returns without an error, the pane's shell has received the
// program's command line and environment and is about to become the program. ctx
// bounds the start only.
//
// The program's arguments and variables are never arguments of tmux or of a shell.
// The pane's shell reads the command line of [BuildCmd] from a FIFO. Only this user
// can open the FIFO, and it is gone when NewSession returns.
func (s *Server) NewSession(ctx context.Context, cfg SessionConfig) (*Session, error) {
	t, err := s.newSession(ctx, cfg)
	if (errors.Is(err, ErrServerClosed) || errors.Is(err, errCleaned)) && !s.closed.Load() {
		t, err = s.newSession(ctx, cfg) // the server had ended, unnoticed
	}
	if err != nil {
		return nil, fmt.Errorf("starting a tmux session: %w", err)
	}
	return t, nil
}

// errCleaned tells that a cleaner of temporary files took the FIFO before the
// pane's shell had opened it.
var errCleaned = errors.New("a cleaner of temporary files has removed the FIFO")

func (s *Server) newSession(ctx context.Context, cfg SessionConfig) (*Session, error) {
	if cfg.Cols == 0 {
		cfg.Cols = 120
	}
	if cfg.Rows == 0 {
		cfg.Rows = 40
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	in, err := s.use(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	if err := in.mend(ctx); err != nil {
		return nil, err
	}
	in.endLeftPanes(ctx)
	marker := in.lease.Mark(cfg.Name)
	script, err := cfg.script(marker)
	if err != nil {
		return nil, err
	}
	env, err := fifo.New(filepath.Join(in.dir, in.unique("env")))
	if err != nil {
		return nil, err
	}
	defer env.Remove()

	t, err := in.makeSession(ctx, cfg, env.Path)
	if err != nil {
		return nil, err
	}
	t.target.Match = func(entry string) bool { return entry == marker }
	watcher, err := proc.Watch(t.target.Pid)
	if err != nil {
		return nil, t.abandon(err)
	}
	go t.wait(watcher)
	in.sessions.add(t)

	if in.shared != nil {
		if err := t.adapt(ctx, cfg.Cols, cfg.Rows); err != nil {
			return nil, t.abandon(err)
		}
	}
	err = t.handOver(ctx, env, script)
	if s.closed.Load() {
		err = ErrServerClosed
	}
	if err != nil {
		err = t.abandon(err)
		if in.gone() && !errors.Is(err, ErrServerClosed) { // abandon has found that out
			err = fmt.Errorf("%w: %w", err, ErrServerClosed)
		}
		return nil, err
	}
	return t, nil
}

// newSessionArgs returns the command that makes a session whose shell reads from the
// FIFO env.
//
// tmux runs a command of several words without the user's shell. Neither the
// server's environment nor the variables that tmux adds get in: a program that
// finds TMUX could end our server. The shell changes the directory, because tmux
// silently uses another one if it is missing. The command must not be cut short:
// nobody could tell then which session it has made, if any. The name alone may be
// another session's.
func (in *instance) newSessionArgs(cfg SessionConfig, env string) []string {
	name := cfg.Name
	if in.shared != nil {
		name = in.shared.prefix + name
	}
	cols, rows := fmt.Sprint(cfg.Cols), fmt.Sprint(cfg.Rows)
	args := []string{"new-session", "-d", "-P",
		"-F", "#{pid} #{session_id} #{pane_id} #{pane_pid} #{pane_tty}",
		"-s", name, "-x", cols, "-y", rows,
		"-c", "/", "/usr/bin/env", "-i", "/bin/sh", env}
	if in.shared != nil {
		// In the same command: with destroy-unattached on, the session would end at
		// once. adapt sets the other options.
		args = append(args, ";")
		args = append(args, setOptions(sessionOptions, "set-option", "-q", "-t", "="+name+":")...)
		args = args[:len(args)-1]
	} else if in.can.fixedSize {
		// Without a fixed size, a person who attaches would change the size to that of
		// their terminal, with 3.3a and 3.5a even if they look at another session
		// (tmux issue 4268). The global option window-size is not used: with it the
		// next new-session crashes the server (tmux pull request 4849).
		args = append(args, ";", "resize-window", "-t", "="+name+":", "-x", cols, "-y", rows)
	}
	return args
}

// makeSession makes a session of its own for the program.
func (in *instance) makeSession(ctx context.Context, cfg SessionConfig, env string) (*Session, error) {
	unlock := in.exclusive(ctx)
	out, err := in.runWhole(ctx, in.newSessionArgs(cfg, env)...)
	unlock()
	if _, refused := errors.AsType[refusal](err); err != nil && !refused {
		// The session may have been made, or may still be made.
		end, cancel := in.patient(context.Background(), statusDelay)
		in.endPanes(end, in.mark(filepath.Base(env)))
		cancel()
		if in.gone() {
			err = ErrServerClosed
		}
	}
	if err != nil {
		return nil, err
	}
	// Exit status 0 alone proves nothing: a server that was being killed returned 0 for
	// a session that was never made.
	t := &Session{in: in, name: cfg.Name, cols: cfg.Cols, rows: cfg.Rows, mark: in.mark(filepath.Base(env)), done: make(chan struct{})}
	var server int
	if _, err := fmt.Sscan(string(out), &server, &t.id, &t.pane, &t.target.Pid, &t.tty); err != nil || t.target.Pid <= 1 {
		if in.lost("") {
			return nil, ErrServerClosed
		}
		return nil, fmt.Errorf("tmux new-session answered %q", out)
	}
	if server != in.server.Pid { // see startDaemon
		if in.shared == nil {
			proc.Identify(server).Terminate()
		} else { // somebody else may have started it
			in.killPane(ctx, server, t.pane)
		}
		return nil, ErrServerClosed
	}
	t.target.Identity = proc.Identify(t.target.Pid)
	return t, nil
}

// handOver gives the program's shell its command line.
func (t *Session) handOver(ctx context.Context, env fifo.FIFO, script string) error {
	w, err := env.Open(ctx, t.done)
	if err == nil {
		err = w.Deliver(ctx, []byte(script))
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: %w", err, errCleaned)
	}
	return fmt.Errorf("handing over the environment: %w", err)
}

func (cfg SessionConfig) check() error {
	if !sessionName.MatchString(cfg.Name) {
		return fmt.Errorf("session name %q: use letters, digits, - and _", cfg.Name)
	}
	if err := checkExecutable(cfg.Command.Path); err != nil {
		return err
	}
	if cfg.Command.Dir == "" {
		return errors.New("no working directory: set Command.Dir")
	}
	if err := checkDir(cfg.Command.Dir); err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	_, err := cfg.script(MarkerVar + "=")
	return err
}

// noCore keeps the program's environment out of a core file. Without it the program
// would inherit the server's limit, and so the limit of whoever started the server.
const noCore = "ulimit -c 0 2>/dev/null\n"

// script returns the commands with which the pane's shell becomes the program.
func (cfg SessionConfig) script(marker string) (string, error) {
	c := cfg.Command
	c.Unset = shellsOwn
	c.Env = append([]string{"TERM=xterm-256color"}, c.Env...)
	c.Env = append(c.Env, marker)
	line, err := BuildCmd(c)
	return noCore + line + "\n", err
}

// A Session is one program in one tmux session with one pane. Once Done is closed,
// SendKeys, Paste, Unread and Redraw fail with an error that wraps
// [os.ErrProcessDone].
type Session struct {
	in     *instance
	name   string
	id     string // "$3": names match by prefix, ids do not
	pane   string // "%7"
	tty    string // "/dev/pts/3"
	mark   string // see instance.mark
	cols   int
	rows   int
	target proc.Target

	done   chan struct{}
	status syscall.WaitStatus // before done is closed: unset

	closing sync.Mutex
	closed  bool
}

// Name returns the session's name as NewSession was given it.
func (t *Session) Name() string { return t.name }

// Pid returns the program's process id.
func (t *Session) Pid() int { return t.target.Pid }

// Done returns a channel that is closed when the program has ended and Status is
// known.
func (t *Session) Done() <-chan struct{} { return t.done }

// Status returns how the program ended. Call it after Done is closed: before that it
// returns 0, which looks like exit status 0. If the server or the pane is gone too,
// tmux cannot tell the status. Status is then that of SIGHUP, the signal that a
// program gets when its server or pane ends.
func (t *Session) Status() syscall.WaitStatus {
	select {
	case <-t.done:
		return t.status
	default:
		return 0
	}
}

// wait learns of the program's end from the kernel and of its status from tmux.
func (t *Session) wait(watcher *proc.Watcher) {
	defer close(t.done)
	defer watcher.Stop()
	<-watcher.Done()
	status, known := t.in.paneStatus(context.Background(), t.pane)
	if !known {
		status = syscall.WaitStatus(unix.SIGHUP)
	}
	t.status = status
}

// run gives the session's server a command, while the program lives.
func (t *Session) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	if err := t.alive(); err != nil {
		return nil, fmt.Errorf("tmux %s: %w", args[0], err)
	}
	return t.runAnyway(ctx, stdin, args...)
}

func (t *Session) runAnyway(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	out, err := t.in.run(ctx, stdin, args...)
	if err != nil && ctx.Err() == nil && t.alive() != nil {
		err = fmt.Errorf("%w: %w", err, os.ErrProcessDone)
	}
	return out, err
}

// alive returns nil while the program lives.
func (t *Session) alive() error {
	select {
	case <-t.done:
		return os.ErrProcessDone
	default:
		return nil
	}
}

// SendKeys presses keys in order. A key is "Enter", "Escape", "Tab", "Up",
// "Down", "Left", "Right", "BSpace", "C-a" to "C-z", or one printable
// character. If a person has put the pane in copy mode, SendKeys leaves that mode.
func (t *Session) SendKeys(ctx context.Context, keys ...string) error {
	args := t.leaveModes()
	for _, key := range keys {
		args = append(args, "send-keys", "-t", t.pane)
		switch {
		case keyName.MatchString(key):
			args = append(args, key, ";")
		case printable(key):
			if key == ";" {
				key = `\;` // alone it would separate two commands
			}
			args = append(args, "-l", "--", key, ";")
		default:
			return fmt.Errorf("sending keys: unknown key %q: use Enter, Escape, Tab, Up, Down, Left, Right, BSpace, C-a to C-z, or one printable character", key)
		}
	}
	if len(keys) == 0 {
		return t.alive()
	}
	if _, err := t.run(ctx, nil, args...); err != nil {
		return fmt.Errorf("sending keys: %w", err)
	}
	return nil
}

// leaveModes begins a list of commands that reach the program. While a person who
// looks on has the pane in copy mode, or in a tree, tmux silently drops keys. Before
// 3.2 copy mode also holds back pastes and the program's output. (Without
// copy-mode -q tmux refuses the commands while a tree is shown.)
func (t *Session) leaveModes() []string {
	if t.in.can.quitModes {
		return []string{"copy-mode", "-q", "-t", t.pane, ";"}
	}
	return []string{"if-shell", "-F", "-t", t.pane, "#{pane_in_mode}", "send-keys -X -t " + t.pane + " cancel", ";"}
}

func printable(key string) bool {
	r, n := utf8.DecodeRuneInString(key)
	return n > 0 && n == len(key) && unicode.IsPrint(r) && !(r == utf8.RuneError && n == 1)
}

var keyName = regexp.MustCompile(`^(Enter|Escape|Tab|Up|Down|Left|Right|BSpace|C-[a-z])$`)

// Paste sends text as one paste, byte for byte. If the program has asked for
// bracketed paste, the text stands between the paste marks. Paste returns when tmux
// has the text, not when the program has read it. While the program's terminal is
// not in raw mode, a line of more than 4,095 bytes is cut.
func (t *Session) Paste(ctx context.Context, text []byte) error {
	if bytes.Contains(text, []byte("\x1b[201~")) {
		return fmt.Errorf("pasting: %w", ErrPasteEnd)
	}
	if len(text) == 0 {
		return t.alive() // tmux would make no buffer and paste the previous one
	}
	// Each paste has its own buffer, because another paste may come between the two
	// commands. -r keeps LF, -S keeps every other byte, and -d removes the buffer.
	buffer := t.in.unique("paste")
	if t.in.shared != nil {
		buffer = t.in.shared.prefix + buffer
	}
	flags := "-prd"
	if t.in.can.rawPaste {
		flags += "S"
	}
	// Before 3.4 a paste into a pane whose program has ended crashes the server, with
	// every session in it (tmux pull request 3830).
	args := append(t.leaveModes(), "load-buffer", "-b", buffer, "-", ";",
		"if-shell", "-F", "-t", t.pane, "#{pane_dead}", "display-message -p -t "+t.pane+" dead",
		fmt.Sprint("paste-buffer ", flags, " -b ", buffer, " -t ", t.pane))
	out, err := t.run(ctx, text, args...)
	if err == nil && len(out) > 0 {
		err = os.ErrProcessDone
	}
	if err != nil {
		t.in.cleanup("delete-buffer", "-b", buffer)
		return fmt.Errorf("pasting: %w", err)
	}
	return nil
}

// Unread returns how many bytes of what was sent the program has not read yet.
func (t *Session) Unread(ctx context.Context) (int, error) {
	err := t.alive()
	if err == nil {
		err = ctx.Err()
	}
	var n int
	if err == nil {
		n, err = terminal.Unread(t.tty)
	}
	if err != nil {
		return 0, fmt.Errorf("looking at the input of tmux session %s: %w", t.name, err)
	}
	return n, nil
}

// Redraw makes the program draw its screen anew: for a fifth of a second its terminal is
// a column narrower. tmux does not notice, nor does a client that shows the session. The
// program may still draw when Redraw returns.
func (t *Session) Redraw(ctx context.Context) error {
	err := t.alive()
	if err == nil {
		err = terminal.Redraw(ctx, t.tty)
	}
	if err != nil {
		return fmt.Errorf("redrawing tmux session %s: %w", t.name, err)
	}
	return nil
}

// Screen returns the visible rows, each without trailing blanks and ended by a
// newline. Between the program's end and Close it returns the last screen. (Before
// tmux 3.3 that lacks the first row of an alternate screen.)
//
// A session that somebody has resized gets its size back first (from tmux 2.9 on),
// because most programs show something else on a small screen.
func (t *Session) Screen(ctx context.Context) (string, error) {
	if !t.in.can.quietEnd && t.alive() != nil {
		return t.lastScreen(ctx)
	}
	t.keepSize(ctx)
	var args []string
	if !t.in.can.liveModes {
		args = t.leaveModes()
	}
	out, err := t.runAnyway(ctx, nil, append(args, "capture-pane", "-p", "-t", t.pane)...)
	if err != nil {
		return "", fmt.Errorf("reading the screen: %w", err)
	}
	return string(out), nil
}

// Close ends the session, its program and everything the program started. It sends
// SIGHUP, SIGTERM half-way to ctx's deadline, and SIGKILL when ctx ends; while ctx
// lasts it waits. Five seconds after SIGKILL it gives up. The error tells what is
// left. Close may be called again, at any time.
func (t *Session) Close(ctx context.Context) error {
	t.closing.Lock()
	defer t.closing.Unlock()
	if t.closed {
		return nil
	}
	var all *multierror.Error
	if err := proc.End(ctx, t.target); err != nil {
		all = multierror.Append(all, err)
	} else {
		<-t.done // soon: the program has ended
	}
	if err := t.endPane(context.WithoutCancel(ctx)); err != nil {
		all = multierror.Append(all, err)
	}
	if all != nil {
		return fmt.Errorf("closing tmux session %s: %w", t.name, all)
	}
	t.closed = true
	t.in.sessions.remove(t)
	return nil
}

// endPane ends the session in tmux. On a shared server it ends only our pane,
// wherever a person has put it.
func (t *Session) endPane(ctx context.Context) error {
	ctx, cancel := t.in.patient(ctx, statusDelay)
	defer cancel()
	if t.in.shared != nil {
		return t.in.endPanes(ctx, t.mark)
	}
	t.in.wake()
	// By id: a person who looked on may have renamed the session.
	_, err := t.in.run(ctx, nil, "kill-session", "-t", t.id)
	if err == nil || t.in.gone() || noTarget(err) || t.in.lostDir() {
		return nil
	}
	return err
}

// abandon closes a session whose start failed with err.
func (t *Session) abandon(err error) error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	if e := proc.End(now, t.target); e != nil {
		err = multierror.Append(err, e)
	}
	t.endPane(context.Background())
	t.in.sessions.remove(t)
	return err
}
