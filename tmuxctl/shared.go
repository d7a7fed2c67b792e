package tmuxctl

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/atomicfile"
	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/internal/proc"
)

// shared is what an instance needs to know about a shared server.
type shared struct {
	socket    string // without links
	prefix    string // of our sessions' names, for people to tell them by
	lockDir   string // see exclusive; "" for none
	stopWatch func() // stops watching the server
}

// newPrefix returns a prefix that nobody else has.
func newPrefix() string { return "tuiturn-" + strings.ToLower(rand.Text()[:13]) + "-" }

// attachShared makes an instance for a server that others use too and that somebody
// else has started. Only the panes that we make are touched, see endPanes. The server
// is recorded in the lease before the first pane exists, so that the next sweep can
// end the panes if this process dies.
//
// There is no control connection: tmux 3.2 to 3.6 can crash, and every session with
// it, when a control client comes or goes, see control.
func attachShared(ctx context.Context, tmux, tempDir string, env []string, socket, prefix string) (*instance, error) {
	in := &instance{tmux: tmux, shared: &shared{prefix: prefix}, ended: make(chan struct{})}
	if err := in.makeDir(ctx, tempDir); err != nil {
		return nil, err
	}
	// The mark is for a server that a client of an old tmux may start by
	// mistake, see startDaemon.
	in.env = in.environ(env)
	err := in.attach(ctx, socket)
	if err == nil {
		return in, nil
	}
	if e := in.removeDir(); e != nil {
		err = multierror.Append(err, e)
	}
	return nil, err
}

func (in *instance) attach(ctx context.Context, socket string) (err error) {
	if in.shared.socket, err = checkSocket(socket); err != nil {
		return err
	}
	listener, err := peer(ctx, in.shared.socket)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("no tmux server answers at %s: %w: start it first", socket, err)
	}
	in.shared.lockDir = lockable(filepath.Dir(in.shared.socket))
	_, err = in.command(ctx, "-N", "-V").Output()
	in.can.foreground = err == nil

	out, err := in.run(ctx, nil, "display-message", "-p", "#{pid}")
	if err != nil {
		return fmt.Errorf("no tmux server answers at %s: %w: start it first", socket, err)
	}
	var pid int
	if _, err := fmt.Sscan(string(out), &pid); err != nil || pid <= 1 {
		return fmt.Errorf("the tmux server at %s answered %q for its process id", socket, out)
	}
	if listener != 0 && listener != pid {
		// Its pids, and those of its panes, are somebody else's here.
		return fmt.Errorf("the tmux server at %s reports process %d, but process %d listens there: a server in another pid namespace, or with a socket that a service manager opened, can't be shared", socket, pid, listener)
	}
	in.server = proc.Identify(pid)
	out, err = in.run(ctx, nil, "show-options", "-gwv", "window-size") // 2.9
	if err == nil && strings.TrimSpace(string(out)) == "manual" {
		return fmt.Errorf("the tmux server at %s has the option window-size manual, with which a new session crashes tmux 3.3a and 3.5a: set another value", socket)
	}
	in.can.probe(ctx, in)
	if err := in.lease.AddServer(lease.SharedServer{Socket: in.shared.socket, Tmux: in.tmux, Prefix: in.shared.prefix}); err != nil {
		return err
	}
	in.shared.stopWatch, err = in.watch()
	return err
}

// checkSocket refuses a path that is not a socket, and the socket of another user,
// whose server would read everything that programs show and receive. It returns the
// path without links.
func checkSocket(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("the shared socket %q is not an absolute path", path)
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("the shared tmux server: %w: start it first", err)
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return "", err
	case info.Mode().Type() != fs.ModeSocket:
		return "", fmt.Errorf("%s is not a socket but %v", path, info.Mode())
	case owner(info) != os.Geteuid():
		return "", fmt.Errorf("the socket %s belongs to user %d, and this process runs as %d: name a server of the same user", path, owner(info), os.Geteuid())
	}
	return path, nil
}

func owner(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// peer returns the pid, in this pid namespace, of the process that listens on a
// socket. Where the system doesn't tell, it returns 0 and an error that wraps
// errors.ErrUnsupported.
func peer(ctx context.Context, socket string) (pid int, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err == nil {
		e := raw.Control(func(fd uintptr) { pid, err = peerPid(int(fd)) })
		err = errors.Join(err, e)
	}
	return pid, err
}

// sizeDelay is how long a new terminal may take to get its size.
const sizeDelay = 5 * time.Second

// awaitSize waits until the program's terminal has the requested size. If the server's
// configuration adds a border, the terminal is too small at first. It grows a moment
// after our window's options have removed the border.
func (t *Session) awaitSize(ctx context.Context, cols, rows int) error {
	tty, err := os.OpenFile(t.tty, os.O_RDONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(sizeDelay)
	for {
		size, err := pty.GetsizeFull(tty)
		if err != nil || int(size.Cols) == cols && int(size.Rows) == rows {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late:
			return fmt.Errorf("the terminal has %d columns and %d rows instead of %d and %d: check which hook or option of the tmux server changes the size", size.Cols, size.Rows, cols, rows)
		}
	}
}

// adapt sets the options of a new window and checks the important one. It names the
// window by id, because a hook of the server's owner may have renamed the session.
func (t *Session) adapt(ctx context.Context, cols, rows int) error {
	args := setOptions(windowOptions, "set-window-option", "-q", "-t", t.pane)
	if t.in.can.fixedSize {
		args = append(args, "resize-window", "-t", t.pane, "-x", fmt.Sprint(cols), "-y", fmt.Sprint(rows), ";")
	}
	show := []string{"show-window-options", "-v", "-t", t.pane, "remain-on-exit"}
	out, err := t.in.run(ctx, nil, append(args, show...)...)
	if err == nil && len(out) == 0 {
		// On a busy machine a client of 3.3a has ended with status 0 and no answer.
		out, err = t.in.run(ctx, nil, show...)
	}
	if err == nil && strings.TrimSpace(string(out)) != "on" {
		err = fmt.Errorf("remain-on-exit is %q", out)
	}
	if err == nil {
		err = t.awaitSize(ctx, cols, rows)
	}
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: check whether a hook of the tmux server, such as after-new-session, changes or ends new sessions", err)
	}
	return err
}

// lockWait is how long one process waits for another's command. The lock avoids a
// race in tmux. Correctness does not depend on it, so a holder that was stopped
// delays nobody for long.
const lockWait = time.Second

// lockable returns dir if it may be locked, else "". Strangers could lock a directory
// that they can open for ever, and the directory of a lease is always locked.
func lockable(dir string) string {
	info, err := os.Lstat(dir)
	if err != nil || info.Mode().Perm()&0o077 != 0 || owner(info) != os.Geteuid() || lease.Is(dir) {
		return ""
	}
	return dir
}

// exclusive keeps other processes from making or ending a session on a shared
// server until unlock is called. A server whose last session ends while
// another is made may answer for one that does not exist.
func (in *instance) exclusive(ctx context.Context) (unlock func()) {
	if in.shared != nil && in.shared.lockDir != "" {
		if unlock, err := atomicfile.Lock(ctx, in.shared.lockDir, lockWait); err == nil {
			return unlock
		}
	}
	return func() {}
}

// endShared ends our panes and stops watching the server. While a pane is left the
// directory stays, so that a sweep finds the pane.
func (in *instance) endShared() error {
	ctx, cancel := in.patient(context.Background(), commandTimeout)
	defer cancel()
	if err := in.endPanes(ctx, in.mark("")); err != nil {
		return err
	}
	if err := in.sessions.end(); err != nil {
		return err
	}
	in.shared.stopWatch()
	return in.removeDir()
}
