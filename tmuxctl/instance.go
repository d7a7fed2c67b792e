package tmuxctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/lease"
)

// maxSocketPath is what a Unix socket's name may hold where it holds least
// (macOS: 104 bytes with the NUL; Linux: 108).
const maxSocketPath = 103

// commandTimeout bounds one tmux command whose context has no deadline: a
// server that was stopped answers nobody.
const commandTimeout = 10 * time.Second

// An instance is one running tmux server process. A Server whose instance has
// ended gets a new one, in a new directory: ids such as "$3" mean nothing there.
type instance struct {
	tmux  string // the program's path
	dir   string // private, with the socket and the FIFOs
	lease *lease.Lease
	own   bool // the lease is for this instance alone, and dir is its directory
	env   []string
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has been waited for

	last atomic.Int64 // see unique
}

func (in *instance) socket() string { return filepath.Join(in.dir, "s") }

// gone tells whether the server has ended.
func (in *instance) gone() bool {
	select {
	case <-in.ended:
		return true
	default:
		return false
	}
}

// lost tells from what a client said whether the server has ended. The client
// may know of it before we do. One whose server was just told to end says
// nothing and has done nothing.
func (in *instance) lost(said string) bool {
	if said == "" || strings.Contains(said, "server") || strings.Contains(said, "error connecting") {
		select {
		case <-in.ended:
		case <-time.After(time.Second):
		}
	}
	return in.gone()
}

// unique returns a name that nothing else has on this server.
func (in *instance) unique(prefix string) string {
	return fmt.Sprintf("%s-%d", prefix, in.last.Add(1))
}

// startInstance starts a server with -D (tmux 3.2): it stays our own child,
// which can be waited for, and it does not end when its last session does.
func startInstance(ctx context.Context, tmux, tempDir string, env []string) (_ *instance, err error) {
	if env == nil {
		env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	}
	in := &instance{tmux: tmux, ended: make(chan struct{})}
	if err := in.makeDir(ctx, tempDir); err != nil {
		return nil, err
	}
	in.env = append(slices.Clone(env), in.lease.ServerMark())

	// The server outlives ctx, which only bounds the start.
	in.cmd = in.command(context.Background(), "-D")
	// A session of its own: a Ctrl+C at the host's terminal is not for it.
	in.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var said bytes.Buffer
	in.cmd.Stderr = &said
	if err := in.cmd.Start(); err != nil {
		if e := in.removeDir(); e != nil {
			err = multierror.Append(err, e)
		}
		return nil, err
	}
	go func() {
		in.cmd.Wait()
		close(in.ended)
	}()
	if err = in.listening(ctx); err == nil {
		_, err = in.run(ctx, nil, setOptions()...)
	}
	if err != nil {
		in.cmd.Process.Kill()
		<-in.ended
		if text := strings.TrimSpace(said.String()); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
		if e := in.removeDir(); e != nil {
			err = multierror.Append(err, e)
		}
		return nil, err
	}
	return in, nil
}

// makeDir makes the private directory: that of a lease, or one in it where
// tempDir is a lease's of this process already.
func (in *instance) makeDir(ctx context.Context, tempDir string) (err error) {
	if in.lease = lease.In(tempDir); in.lease != nil {
		in.dir, err = os.MkdirTemp(tempDir, "s-")
	} else if in.lease, err = lease.New(ctx, tempDir); err == nil {
		in.own, in.dir = true, in.lease.Dir()
	}
	if err != nil {
		return fmt.Errorf("%w: name a directory that can be written in Server.TempDir", err)
	}
	if n := len(in.socket()); n > maxSocketPath {
		in.removeDir()
		return fmt.Errorf("a socket in %s would have a name of %d bytes and may have %d: name a shorter Server.TempDir", in.dir, n, maxSocketPath)
	}
	return nil
}

// removeDir removes the directory when the server has ended.
func (in *instance) removeDir() error {
	if in.own {
		return in.lease.Release()
	}
	if err := os.RemoveAll(in.dir); err != nil {
		return fmt.Errorf("removing its directory: %w", err)
	}
	return nil
}

// listening waits until the server answers on its socket.
func (in *instance) listening(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(commandTimeout)
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
			return errors.New("the server ended at once; tmux 3.2 or later is needed")
		case <-late:
			return fmt.Errorf("the server does not listen: %w", err)
		case <-ctx.Done():
		}
	}
}

// options are set before the first session is made. -q: a tmux that does not
// know one does without it.
var options = [][]string{
	{"history-limit", "0"},        // a full history of 2,000 lines is 2 MB a pane, never given back
	{"remain-on-exit", "on"},      // keeps the exit status for us to read
	{"remain-on-exit-format", ""}, // with nothing written over the last screen (3.3)
	{"status", "off"},             // the program gets every row
	{"escape-time", "0"},          // Escape is a key, not the start of one
	{"update-environment", ""},    // nothing of a client's environment gets in
	{"allow-rename", "off"},
	{"automatic-rename", "off"},
}

func setOptions() []string {
	var args []string
	for _, o := range options {
		args = append(args, "set-option", "-gq", o[0], o[1], ";")
	}
	return args
}

// run is one tmux client process. stdin may be nil.
func (in *instance) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	return in.runUntil(ctx, nil, stdin, args...)
}

// runWhole is run for a command that must not be cut short: when ctx ends it
// goes on for cutDelay, and succeeds if it ends by itself until then.
func (in *instance) runWhole(ctx context.Context, args ...string) ([]byte, error) {
	return in.runUntil(ctx, func() error { return os.ErrProcessDone }, nil, args...)
}

// cutDelay is how long a client may take when it should have ended: to finish
// (see runWhole), or to let go of its pipes. It hands its standard output to
// the server, and a stopped server keeps it open.
const cutDelay = 500 * time.Millisecond

// runUntil has cancel called when ctx ends; nil kills.
func (in *instance) runUntil(ctx context.Context, cancel func() error, stdin []byte, args ...string) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, commandTimeout)
		defer stop()
	}
	// -N: a server that has ended must not be started again by its client,
	// as nobody's child.
	cmd := in.command(ctx, append([]string{"-N"}, args...)...)
	if cancel != nil {
		cmd.Cancel = cancel
	}
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		// ErrWaitDelay is a success whose pipe the server, on a busy machine, has
		// not let go of yet. It had written all before the client ended.
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("tmux %s: %w", args[0], context.Cause(ctx))
	case in.lost(errs.String()):
		return nil, fmt.Errorf("tmux %s: %w", args[0], ErrServerClosed)
	}
	return nil, fmt.Errorf("tmux %s: %w: %s", args[0], err, bytes.TrimSpace(errs.Bytes()))
}

// cleanup runs a command whose failure changes nothing, also after a context
// has ended.
func (in *instance) cleanup(args ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	in.run(ctx, nil, args...)
}

func (in *instance) command(ctx context.Context, args ...string) *exec.Cmd {
	// -u: without it formats turn what is not ASCII into "_". -f: nobody's
	// configuration, neither the user's nor the host's.
	args = append([]string{"-u", "-f", "/dev/null", "-S", in.socket()}, args...)
	cmd := exec.CommandContext(ctx, in.tmux, args...)
	cmd.Env = in.env
	cmd.Dir = "/"
	cmd.WaitDelay = cutDelay
	return cmd
}

// nudge makes the server look again for children that have ended.
func (in *instance) nudge() { in.cmd.Process.Signal(syscall.SIGCHLD) }

// hangUp asks the server to go, which is what kill-server does within it: a
// server that is stopped, or was wedged by a kill that met a new session, takes
// no command but heeds the signal.
func (in *instance) hangUp() {
	in.cmd.Process.Signal(syscall.SIGTERM)
	in.cmd.Process.Signal(syscall.SIGCONT)
}

// end makes the server go and removes its directory.
func (in *instance) end() error {
	for _, kill := range []func(){in.hangUp, func() { in.cmd.Process.Kill() }} {
		kill()
		select {
		case <-in.ended:
			return in.removeDir()
		case <-time.After(endDelay):
		}
	}
	return fmt.Errorf("its process %d is still there after SIGKILL", in.cmd.Process.Pid)
}

// endDelay is how long a server has to end once it was told to: 104 ms with 30
// sessions, measured.
const endDelay = 2 * time.Second
