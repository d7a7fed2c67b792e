package tmuxctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/command"
	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/internal/tmuxmsg"
)

// maxSocketPath is the longest path of a Unix socket on the system with the lowest
// limit (macOS: 104 bytes with the NUL; Linux: 108).
const maxSocketPath = 103

// An instance is one running tmux server process. A Server whose instance has
// ended gets a new one, in a new directory: ids such as "$3" mean nothing there.
type instance struct {
	tmux        string // the program's path
	dir         string // private, with the socket and the FIFOs
	lease       *lease.Lease
	own         bool // the lease is for this instance alone, and dir is its directory
	env         []string
	shared      *shared // nil: the server is our own
	server      proc.Identity
	up          bool          // it has listened, and reacts to signals
	noNewSocket atomic.Bool   // see mend
	ended       chan struct{} // closed when the server is no more
	control     *control      // nil: there is none
	can         features

	last      atomic.Int64 // see unique
	leftPanes struct {     // see endPanes
		sync.Mutex
		marks []string
	}
	sessions sessions
}

func (in *instance) socket() string {
	if in.shared != nil {
		return in.shared.socket
	}
	return filepath.Join(in.dir, "s")
}

// gone tells whether the server has ended.
func (in *instance) gone() bool {
	select {
	case <-in.ended:
		return true
	default:
		return false
	}
}

// lost tells whether the server has ended, from what a client printed. The client
// may notice before this process does. A client whose server was just told to end
// prints nothing and has done nothing.
//
// A server may disconnect a client and still stay. If it was told to end while a
// session was being made, it is wedged: it keeps that session's pane and takes no
// more commands (3.3a: 7 of 700 such meetings; 3.1c: 5 of 20). It still reacts to
// SIGTERM.
func (in *instance) lost(said string) bool {
	if strings.Contains(said, "server exited") || strings.Contains(said, "lost server") { // 2.6
		in.hangUp()
	}
	if said == "" || strings.Contains(said, "server") || strings.Contains(said, "error connecting") {
		in.await(time.Second)
	}
	return in.gone()
}

// await waits for the server's end, for a while.
func (in *instance) await(limit time.Duration) {
	select {
	case <-in.ended:
	case <-time.After(limit):
	}
}

// unique returns a name that nothing else has on this server.
func (in *instance) unique(prefix string) string {
	return fmt.Sprintf("%s-%d", prefix, in.last.Add(1))
}

func startInstance(ctx context.Context, tmux, tempDir string, env []string) (*instance, error) {
	in, err := tryInstance(ctx, tmux, tempDir, env)
	if errors.Is(err, errNoSocket) {
		in, err = tryInstance(ctx, tmux, tempDir, env)
	}
	return in, err
}

func tryInstance(ctx context.Context, tmux, tempDir string, env []string) (_ *instance, err error) {
	in := &instance{tmux: tmux}
	if err := in.makeDir(ctx, tempDir); err != nil {
		return nil, err
	}
	in.env = in.environ(env)
	if err = in.startChild(ctx); errors.Is(err, errNoForeground) {
		err = in.startDaemon(ctx)
	}
	if err == nil {
		if err = in.prepare(ctx); err == nil {
			return in, nil
		}
		in.server.Signal(syscall.SIGKILL)
		<-in.ended
		in.closeControl()
	}
	if e := in.removeDir(); e != nil {
		err = multierror.Append(err, e)
	}
	return nil, err
}

// environ returns the environment of the server and of our clients.
func (in *instance) environ(env []string) []string {
	if env == nil {
		env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	}
	return append(slices.Clone(env), in.lease.ServerMark())
}

// errNoForeground is returned for a tmux that is older than -D (3.2).
var errNoForeground = errors.New("tmux has no foreground mode")

// startChild starts a server with -D: it stays our own child, which can be
// waited for, and does not end when its last session does.
func (in *instance) startChild(ctx context.Context) error {
	in.can.foreground = true
	// The server outlives ctx, which only bounds the start.
	cmd := in.command(context.Background(), "-D")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	in.server = proc.Identify(cmd.Process.Pid)
	ended := make(chan struct{})
	in.ended = ended
	go func() {
		cmd.Wait()
		close(ended)
	}()
	err := in.listening(ctx, startWait)
	if err == nil {
		in.up = true
		err = in.keep(ctx)
	}
	if err == nil {
		return nil
	}
	in.server.Signal(syscall.SIGKILL)
	<-ended
	text := strings.TrimSpace(said.String())
	switch {
	case strings.Contains(text, "usage:"):
		return errNoForeground
	case text != "":
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
}

// makeDir makes the private directory: that of a lease, or one in it where
// tempDir is a lease's of this process already.
func (in *instance) makeDir(ctx context.Context, tempDir string) (err error) {
	if in.lease = lease.In(tempDir); in.lease != nil {
		if err := in.lease.Check(); err != nil {
			return err
		}
		in.dir, err = os.MkdirTemp(tempDir, "s-")
	} else if in.lease, err = lease.New(ctx, tempDir); err == nil {
		in.own, in.dir = true, in.lease.Dir()
	}
	if _, dir := errors.AsType[*lease.DirError](err); dir || err != nil && !in.own {
		return fmt.Errorf("%w: set Server.TempDir to a writable directory", err)
	}
	if err != nil {
		return err
	}
	if n := len(in.socket()); n > maxSocketPath {
		in.removeDir()
		return fmt.Errorf("a socket in %s would have a path of %d bytes, and %d are allowed: set Server.TempDir to a shorter path", in.dir, n, maxSocketPath)
	}
	return nil
}

// removeDir removes the directory when the server has ended.
func (in *instance) removeDir() error {
	if in.own {
		return in.lease.Release()
	}
	if err := in.lease.Remove(in.dir); err != nil {
		return fmt.Errorf("removing its directory: %w", err)
	}
	return nil
}

// startWait is how long a starting server may have no socket; 3 ms are normal on an
// idle machine. After that, a cleaner of temporary files may have removed the socket,
// and another server is started. SIGUSR1 makes a running server recreate its socket,
// but would end a server that is still starting.
const startWait = 3 * time.Second

var errNoSocket = errors.New("the server has no socket")

// listening waits until the server answers on its socket. While there is none it
// waits no longer than absent.
func (in *instance) listening(ctx context.Context, absent time.Duration) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	none, late := time.After(absent), time.After(busyFactor*commandTimeout)
	for {
		conn, err := net.Dial("unix", in.socket())
		if err == nil {
			return conn.Close()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		select {
		case <-tick.C:
		case <-in.ended:
			return errors.New("the server ended at once")
		case <-none:
			if !in.listens() {
				return fmt.Errorf("%w: %w", errNoSocket, in.noSocket())
			}
		case <-late:
			return fmt.Errorf("the server does not listen: %w", err)
		case <-ctx.Done():
		}
	}
}

// run gives the server one command, over the control connection or else as a
// process. stdin may be nil.
func (in *instance) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	if in.gone() {
		// Another server may listen on a shared socket by now, where the ids name
		// somebody else's panes.
		return nil, fmt.Errorf("tmux %s: %w", args[0], ErrServerClosed)
	}
	if _, ok := ctx.Deadline(); !ok {
		var stop context.CancelFunc
		ctx, stop = in.patient(ctx, commandTimeout)
		defer stop()
	}
	began := time.Now()
	out, err := []byte(nil), errNotSent
	line, ok := newControlLine(args)
	if ok && stdin == nil && in.control != nil {
		out, err = in.control.do(ctx, line)
	}
	if err == errNotSent || err == errNoAnswer && line.repeatable {
		out, err = in.process(ctx, stdin, args...)
	}
	switch {
	case err == errNoAnswer && in.lost(""):
		err = ErrServerClosed
	case err != nil && ctx.Err() != nil && time.Since(began) > cutDelay:
		err = fmt.Errorf("the server has not answered (check whether its process %d is stopped): %w", in.server.Pid, err)
	}
	if err != nil {
		return nil, fmt.Errorf("tmux %s: %w", args[0], err)
	}
	return out, nil
}

// runWhole is run for a command that must not be cut short: when ctx ends it
// goes on for cutDelay, and succeeds if it ends by itself until then.
func (in *instance) runWhole(ctx context.Context, args ...string) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("tmux %s: %w", args[0], context.Cause(ctx))
	}
	whole, cancel := in.prolong(ctx)
	defer cancel()
	return in.run(whole, nil, args...)
}

// prolong returns a context that ends, for the same cause, cutDelay after ctx
// does, or when the server has not answered in time.
func (in *instance) prolong(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := in.patient(ctx, commandTimeout)
	whole, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(cutDelay, func() { cut(context.Cause(ctx)) })
	})
	return whole, func() {
		stop()
		cut(nil)
		cancel()
	}
}

// cutDelay is how much longer a client may take after it should have ended: to finish
// (see runWhole), or to close its pipes. A client passes its standard output to the
// server, and a stopped server keeps it open.
const cutDelay = 500 * time.Millisecond

// A refusal is tmux's error message for a command that it did not carry out.
type refusal string

func (r refusal) Error() string { return string(r) }

// noTarget tells whether a command was refused because its target is gone.
func noTarget(err error) bool { return tmuxmsg.NoTarget(err.Error()) }

// newRefusal leaves out what only control mode says in front.
func newRefusal(said []byte) refusal {
	return refusal(strings.TrimPrefix(string(bytes.TrimSpace(said)), "parse error: "))
}

// process runs one tmux client. It runs the client once more if a cleaner of
// temporary files removed the socket before the client had connected.
func (in *instance) process(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	if in.shared != nil {
		return in.processOnce(ctx, stdin, args...)
	}
	if err := in.mend(ctx); err != nil {
		return nil, err
	}
	out, err := in.processOnce(ctx, stdin, args...)
	if errors.Is(err, fs.ErrNotExist) && in.mend(ctx) == nil && in.listens() {
		out, err = in.processOnce(ctx, stdin, args...)
	}
	return out, err
}

func (in *instance) processOnce(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := in.client(ctx, args...)
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	out, said, err := command.Output(cmd) // the server may keep the pipes open
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it has ended well, without all of stdin
		return out, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case in.lost(string(said)):
		return nil, ErrServerClosed
	case in.shared != nil && !in.listens():
		return nil, fmt.Errorf("the socket %s of the shared tmux server was removed while it was in use: kill -USR1 %d makes that server create it again", in.socket(), in.server.Pid)
	case in.shared == nil && strings.Contains(string(said), "error connecting") && !in.listens():
		return nil, in.noSocket()
	case cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 1:
		return nil, newRefusal(said)
	}
	return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(said))
}

// cleanup runs a command whose failure changes nothing, also after a context
// has ended.
func (in *instance) cleanup(args ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	in.wake()
	in.run(ctx, nil, args...)
}

// client returns a tmux client process for one command to the server.
func (in *instance) client(ctx context.Context, args ...string) *exec.Cmd {
	if in.can.foreground {
		// -N, which is as old as -D: if the server has ended, a client must not start
		// another one, which would be nobody's child.
		args = append([]string{"-N"}, args...)
	}
	return in.command(ctx, args...)
}

func (in *instance) command(ctx context.Context, args ...string) *exec.Cmd {
	// -u: without it formats replace non-ASCII characters by "_". -f: neither the
	// user's configuration nor the host's is read.
	args = append([]string{"-u", "-f", "/dev/null", "-S", in.socket()}, args...)
	cmd := exec.CommandContext(ctx, in.tmux, args...)
	cmd.Env = in.env
	cmd.Dir = "/"
	// A session of its own, so that a Ctrl+C at the host's terminal does not reach it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = cutDelay
	return cmd
}

// nudge makes the server look again for children that have ended.
func (in *instance) nudge() { in.server.Signal(syscall.SIGCHLD) }

// wake continues a private server that somebody has stopped: nothing in a stopped
// server can be cleaned up. A shared server belongs to its owner, who may stop it.
func (in *instance) wake() {
	if in.shared == nil {
		in.server.Signal(syscall.SIGCONT)
	}
}

// hangUp asks a private server to end, by SIGTERM, which does the same as the command
// kill-server. A server that is stopped, or that a kill during a new session has
// wedged, takes no commands but reacts to the signal. A shared server is never asked.
func (in *instance) hangUp() {
	if in.shared == nil {
		in.server.Signal(syscall.SIGTERM)
		in.server.Signal(syscall.SIGCONT)
	}
}

// end ends the server, if it is private, and removes the directory.
func (in *instance) end() error {
	if in.shared != nil {
		return in.endShared()
	}
	for _, kill := range []func(){in.hangUp, func() { in.server.Signal(syscall.SIGKILL) }} {
		kill()
		if in.await(endDelay); in.gone() {
			in.closeControl()
			if err := in.sessions.end(); err != nil {
				return err
			}
			return in.removeDir()
		}
	}
	return fmt.Errorf("its process %d is still there after SIGKILL", in.server.Pid)
}

func (in *instance) closeControl() {
	if in.control != nil {
		in.control.close()
	}
}

// endDelay is how long a server may take to end: 104 ms with 30 sessions, measured.
const endDelay = 2 * time.Second
