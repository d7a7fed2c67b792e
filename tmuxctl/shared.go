package tmuxctl

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/atomicfile"
	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/internal/proc"
)

// shared is what an instance needs to know of a server that is not ours.
type shared struct {
	socket string
	prefix string // of our sessions' names; nobody else's begin so
	letGo  func() // stops watching the server
}

// newPrefix returns a prefix that nobody else has.
func newPrefix() string { return "tuiturn-" + strings.ToLower(rand.Text()[:13]) + "-" }

// attachShared makes an instance of a server that others use too and that
// somebody else has started. Nothing of it is touched but the sessions that we
// make; their prefix is on record before the first of them exists, so that the
// next sweep can end them when this process dies.
//
// There is no control connection: tmux 3.2 to 3.6 can end with a fault, and every
// session with it, when a control client comes or goes, see control.
func attachShared(ctx context.Context, tmux, tempDir string, env []string, sh shared) (_ *instance, err error) {
	in := &instance{tmux: tmux, shared: &sh, ended: make(chan struct{})}
	if err := in.makeDir(ctx, tempDir); err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			return
		}
		if e := in.removeDir(); e != nil {
			err = multierror.Append(err, e)
		}
	}()
	// The mark is for a server that a client of an old tmux may start by
	// mistake, see startDaemon.
	in.env = in.environ(env)
	if err := checkSocket(sh.socket); err != nil {
		return nil, err
	}
	_, err = in.command(ctx, "-N", "-V").Output()
	in.can.foreground = err == nil

	out, err := in.run(ctx, nil, "display-message", "-p", "#{pid}")
	if err != nil {
		return nil, fmt.Errorf("no tmux server answers at %s: %w: start it before it is used", sh.socket, err)
	}
	var pid int
	if _, err := fmt.Sscan(string(out), &pid); err != nil || pid <= 1 {
		return nil, fmt.Errorf("the tmux server at %s answered %q for its process id", sh.socket, out)
	}
	in.server = proc.Identify(pid)
	in.can.probe(ctx, in)
	if err := in.lease.AddServer(lease.SharedServer{Socket: sh.socket, Tmux: tmux, Prefix: sh.prefix}); err != nil {
		return nil, err
	}
	watcher, err := proc.Watch(pid)
	if err != nil {
		return nil, err
	}
	quit := make(chan struct{})
	sh.letGo = sync.OnceFunc(func() { close(quit) })
	go func() {
		defer watcher.Stop()
		select {
		case <-watcher.Done():
			close(in.ended)
		case <-quit:
		}
	}()
	return in, nil
}

// checkSocket refuses what is no socket, and one of another user: the server
// reads what its programs show and are given.
func checkSocket(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("the shared socket %q is not an absolute path", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("the shared tmux server: %w: start it before it is used", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is not a socket but %v", path, info.Mode())
	}
	if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != os.Geteuid() {
		return fmt.Errorf("the socket %s belongs to user %d, and this process runs as %d: name a server of the same user", path, owner, os.Geteuid())
	}
	return nil
}

// sizeDelay is how long a new terminal may take to get its size.
const sizeDelay = time.Second

// awaitSize waits until the program's terminal has the size asked for. Where the
// server's owner likes a border it is made too small, and grows a moment after
// our session's options have taken the border away.
func (t *Session) awaitSize(cols, rows int) {
	tty, err := os.OpenFile(t.tty, os.O_RDONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return // it has ended
	}
	defer tty.Close()
	for deadline := time.Now().Add(sizeDelay); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		size, err := pty.GetsizeFull(tty)
		if err != nil || int(size.Cols) == cols && int(size.Rows) == rows {
			return
		}
	}
}

// lockWait is how long one process waits for another's command. The lock spares
// tmux a race; it is not what makes a creation certain, so a holder that was
// stopped holds up nobody for long.
const lockWait = time.Second

// exclusive keeps other processes from making or ending a session on a shared
// server until unlock is called. A server whose last session ends while
// another is made may answer for one that does not exist.
func (in *instance) exclusive(ctx context.Context) (unlock func()) {
	if in.shared != nil {
		if unlock, err := atomicfile.Lock(ctx, filepath.Dir(in.shared.socket), lockWait); err == nil {
			return unlock
		}
	}
	return func() {}
}

// killSession ends a session, which may have ended already.
func (in *instance) killSession(ctx context.Context, id string) error {
	defer in.exclusive(ctx)()
	_, err := in.run(ctx, nil, "kill-session", "-t", id)
	if err == nil || in.gone() || strings.Contains(err.Error(), "can't find session") {
		return nil
	}
	return err
}

// endShared ends our sessions and lets go of the server. While a session is left
// the directory stays: it is what tells a sweep of it.
func (in *instance) endShared() error {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	var all *multierror.Error
	out, err := in.run(ctx, nil, "list-sessions", "-F", "#{session_id} #{session_name}")
	if err != nil && !in.gone() {
		all = multierror.Append(all, err)
	}
	for line := range strings.Lines(string(out)) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(name, in.shared.prefix) {
			continue
		}
		if err := in.killSession(ctx, id); err != nil {
			all = multierror.Append(all, err)
		}
	}
	if all != nil {
		return all
	}
	in.shared.letGo()
	return in.removeDir()
}
