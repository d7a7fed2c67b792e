package ptyterm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/internal/terminal"
)

// maxSide limits the columns and rows: the emulator needs some 250 bytes per cell.
const maxSide = 1000

// If a child of the program keeps the terminal open, the end of output never arrives.
// Done then waits until no output has arrived for drainDelay, and at most for drainLimit:
// the child may write without end.
const (
	drainDelay = 100 * time.Millisecond
	drainLimit = 2 * time.Second
)

// readSize limits how long the output of one read blocks the screen: the emulator takes
// some 0.16 ms for a line feed that scrolls 120 by 40 cells.
const readSize = 512

// become is a shell script that turns off core files and then runs the program in the
// shell's place. The environment may hold secrets, and a core file would show them to
// everybody who can read the working directory. Only the process itself can lower the
// limit before its exec, and the host's limit must not be changed. The program gets none
// of the variables that the shell adds. (If /bin/sh is bash, its exec adds SHLVL=0.
// Variables that the shell sets itself, such as PPID and OPTIND, do not arrive as given.)
const (
	posixShell = "/bin/sh"
	become     = `ulimit -c 0 2>/dev/null; unset PWD OLDPWD SHLVL _; exec "$@"`
)

var validName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// A Term is a program running in a pseudo terminal.
type Term struct {
	name   string
	cmd    *exec.Cmd
	target proc.Target
	pty    *os.File
	tty    string // the other end's name
	screen *screen
	size   *unix.Winsize
	reads  atomic.Int64 // so far

	input chan struct{} // one token: whoever holds it may write to pty
	torn  error         // set by a write that stopped in the middle

	done    chan struct{} // closed by wait
	status  syscall.WaitStatus
	tasks   sync.WaitGroup // our goroutines
	closing chan struct{}  // one token: whoever holds it is closing
	closed  bool
}

var _ terminal.Terminal = (*Term)(nil)

// Start starts cfg's program as the leader of a session whose controlling terminal is a
// new pseudo terminal. Its environment is cfg.Env, to which two entries are added: TERM
// (xterm-256color) if cfg.Env has none, and cfg.Mark, or [terminal.MarkerVar] with the
// terminal's name if cfg.Mark is empty.
//
// If the program or the directory does not exist or may not be used, the error wraps the
// [io/fs] error and names the path. The Term must be closed, also after its program has
// ended. ctx bounds the start only.
func Start(ctx context.Context, cfg terminal.Config) (*Term, error) {
	t, err := start(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("starting %s in a terminal: %w", cfg.Path, err)
	}
	return t, nil
}

func start(ctx context.Context, cfg terminal.Config) (*Term, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	size, err := check(&cfg)
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{
		Path: posixShell,
		Args: append([]string{posixShell, "-c", become, posixShell, cfg.Path}, cfg.Args...),
		Env:  environ(cfg),
		Dir:  cfg.Dir,
		SysProcAttr: &syscall.SysProcAttr{
			Setsid:  true,
			Setctty: true,
		},
	}
	master, slave, err := open(size)
	if err != nil {
		return nil, fmt.Errorf("opening a pseudo terminal: %w", err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if err := cmd.Start(); err != nil {
		master.Close()
		slave.Close()
		return nil, err
	}
	// Not reaped yet, so the pid is still the program's.
	program := proc.Identify(cmd.Process.Pid)
	t := &Term{
		name: cfg.Name,
		cmd:  cmd,
		target: proc.Target{
			Identity: program,
			Match:    func(entry string) bool { return entry == cfg.Mark },
		},
		pty:     master,
		tty:     slave.Name(),
		screen:  newScreen(cfg.Cols, cfg.Rows),
		size:    &unix.Winsize{Row: size.Rows, Col: size.Cols},
		input:   make(chan struct{}, 1),
		done:    make(chan struct{}),
		closing: make(chan struct{}, 1),
	}
	drained := make(chan struct{})
	t.tasks.Go(func() { t.read(drained) })
	t.tasks.Go(func() { t.wait(slave, drained) })
	t.tasks.Go(t.reply)
	return t, nil
}

// check finds errors that exec would report late or under another name, and fills in the
// default size.
func check(cfg *terminal.Config) (*pty.Winsize, error) {
	if !validName.MatchString(cfg.Name) {
		return nil, fmt.Errorf("terminal name %q: use letters, digits, _ and - only", cfg.Name)
	}
	if !filepath.IsAbs(cfg.Path) {
		return nil, fmt.Errorf("program %q: give its absolute path", cfg.Path)
	}
	for _, s := range append(append([]string{cfg.Path, cfg.Dir}, cfg.Args...), cfg.Env...) {
		if strings.IndexByte(s, 0) >= 0 {
			return nil, errors.New("a path, argument or variable holds a NUL byte: remove it")
		}
	}
	// The shell could tell nobody.
	if info, err := os.Stat(cfg.Path); err != nil {
		return nil, err
	} else if info.IsDir() {
		return nil, &os.PathError{Op: "exec", Path: cfg.Path, Err: syscall.EACCES} // as exec has it
	} else if err := unix.Access(cfg.Path, unix.X_OK); err != nil {
		return nil, &os.PathError{Op: "exec", Path: cfg.Path, Err: err}
	}
	// With SysProcAttr set, exec blames a missing directory on the program.
	if info, err := os.Stat(cfg.Dir); err != nil {
		return nil, fmt.Errorf("working directory: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("working directory: %w", &os.PathError{Op: "chdir", Path: cfg.Dir, Err: syscall.ENOTDIR})
	}
	if cfg.Mark == "" {
		cfg.Mark = terminal.MarkerVar + "=" + cfg.Name
	}
	if cfg.Cols == 0 {
		cfg.Cols = 120
	}
	if cfg.Rows == 0 {
		cfg.Rows = 40
	}
	if cfg.Cols < 1 || cfg.Rows < 1 || cfg.Cols > maxSide || cfg.Rows > maxSide {
		return nil, fmt.Errorf("terminal size %d by %d: each must be 1 to %d", cfg.Cols, cfg.Rows, maxSide)
	}
	return &pty.Winsize{Cols: uint16(cfg.Cols), Rows: uint16(cfg.Rows)}, nil
}

func environ(cfg terminal.Config) []string {
	env := make([]string, 0, len(cfg.Env)+2)
	hasTerm := false
	for _, kv := range cfg.Env {
		if strings.HasPrefix(kv, terminal.MarkerVar+"=") {
			continue // another terminal's
		}
		hasTerm = hasTerm || strings.HasPrefix(kv, "TERM=")
		env = append(env, kv)
	}
	if !hasTerm {
		env = append(env, "TERM=xterm-256color")
	}
	return append(env, cfg.Mark)
}

// open returns a pty whose master uses Go's poller, so that Close or a deadline ends a
// read or write that is under way. Package pty opens its files in blocking mode.
func open(size *pty.Winsize) (master, slave *os.File, err error) {
	m, slave, err := pty.Open()
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	if err := pty.Setsize(m, size); err != nil {
		slave.Close()
		return nil, nil, err
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Dup(int(m.Fd()))
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		slave.Close()
		return nil, nil, os.NewSyscallError("dup", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		slave.Close()
		return nil, nil, os.NewSyscallError("setnonblock", err)
	}
	return os.NewFile(uintptr(fd), m.Name()), slave, nil
}

// read emulates the output until no process has the terminal open or it is closed.
func (t *Term) read(drained chan<- struct{}) {
	defer close(drained)
	defer t.screen.close()
	buf := make([]byte, readSize)
	for {
		n, err := t.pty.Read(buf)
		if n > 0 {
			t.screen.feed(buf[:n])
			t.reads.Add(1)
		}
		if err != nil {
			return
		}
	}
}

// wait keeps the slave open until the program has ended, and reads the rest of the output
// before Done. A master without a slave reports the end of output, which must not happen
// while the program only reopens its terminal. And a blocking read of a master whose last
// slave was just closed lost the program's last output in 6 of 1,000 runs (Linux 6.18).
func (t *Term) wait(slave *os.File, drained <-chan struct{}) {
	t.cmd.Wait()
	slave.Close()
	t.drain(drained)
	t.status = t.cmd.ProcessState.Sys().(syscall.WaitStatus)
	close(t.done)
}

// drain returns when the output has ended or ceased.
func (t *Term) drain(drained <-chan struct{}) {
	limit := time.After(drainLimit)
	for before := t.reads.Load(); ; {
		select {
		case <-drained:
			return
		case <-limit:
			return
		case <-time.After(drainDelay):
		}
		now := t.reads.Load()
		if now == before {
			return
		}
		before = now
	}
}

// Pid implements [terminal.Terminal].
func (t *Term) Pid() int { return t.target.Pid }

// Done implements [terminal.Terminal]. The screen then shows everything that the program
// has written, unless 2 s were too short to emulate it.
func (t *Term) Done() <-chan struct{} { return t.done }

// Status implements [terminal.Terminal].
func (t *Term) Status() syscall.WaitStatus {
	select {
	case <-t.done:
		return t.status
	default:
		return 0
	}
}

// Screen implements [terminal.Terminal]. It does not need the program: after
// its end, and after Close, it returns the last screen. A terminal that a program
// in it has resized (stty) gets its size back first.
func (t *Term) Screen(ctx context.Context) (string, error) {
	t.keepSize()
	text, err := t.screen.text(ctx)
	if err != nil {
		return "", fmt.Errorf("reading the screen of %s: %w", t.name, err)
	}
	return text, nil
}

// keepSize sets the terminal's size to that of the emulator. It fails only after the
// program's end.
func (t *Term) keepSize() {
	raw, err := t.pty.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		now, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ)
		if err == nil && (now.Row != t.size.Row || now.Col != t.size.Col) {
			unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, t.size)
		}
	})
}

// Close implements [terminal.Terminal]. When it returns nil, no process, goroutine or
// descriptor of the terminal is left. With a ctx without deadline, it waits without limit
// for a program that ignores SIGHUP.
func (t *Term) Close(ctx context.Context) error {
	t.closing <- struct{}{}
	defer func() { <-t.closing }()
	if t.closed {
		return nil
	}
	if err := proc.End(ctx, t.target); err != nil {
		return fmt.Errorf("closing %s: %w", t.name, err)
	}
	// End takes a zombie for gone; wait reaps it and closes Done.
	<-t.done
	t.pty.Close()
	t.tasks.Wait()
	t.closed = true
	return nil
}
