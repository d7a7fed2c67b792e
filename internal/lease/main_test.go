package lease

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// helperArg makes the test binary play another process.
const helperArg = "lease-test-helper"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == helperArg {
		time.AfterFunc(5*time.Minute, func() { os.Exit(3) }) // nothing of a test lives for ever
		roles[os.Args[2]](os.Args[3:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var roles = map[string]func(args []string){
	"host":  host,
	"churn": churn,
	"list":  list,
	"take":  take,
	"idle":  func([]string) { fmt.Printf("%d\nready\n", os.Getpid()); io.Copy(io.Discard, os.Stdin) },
	"umask": func(args []string) { syscall.Umask(0o777); try(args[0]) },
	"full":  full,
	"lowered": func(args []string) {
		if _, err := unix.FcntlInt(0, unix.F_DUPFD, 251); err != nil {
			panic(err)
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}); err != nil {
			panic(err)
		}
		try(args[0])
	},
	"try": func(args []string) { try(args[0]) },
}

// host takes a lease, starts programs and does what it is told.
func host(args []string) {
	var parent string
	parent, shell, toolPath = args[0], args[1], args[2]
	if slices.Equal(args[3:], []string{"stopped polite"}) {
		// A busy machine may let nobody leave in half a second. Beside programs that
		// never leave this would take a minute.
		guardianScript = strings.NewReplacer("HUP 8", "HUP 2000", "-lt 100", "-lt 2100").Replace(guardianScript)
	}
	l := must(New(context.Background(), parent))
	fmt.Println("lease", l.ID(), l.Dir())
	fmt.Println("guardian", guardianOf(l).Process.Pid)
	for _, name := range args[3:] {
		switch name {
		case "shared":
			if err := l.AddServer(SharedServer{"/s", "/tmux", "p-"}); err != nil {
				panic(err)
			}
		case "a server":
			start(l.ServerMark(), programs[name])
		default:
			start(l.Mark("test"), programs[name])
		}
	}
	fmt.Println("ready")
	word, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	switch strings.TrimSpace(word) {
	case "release":
		if err := l.Release(); err != nil {
			panic(err)
		}
	case "exec": // another program, as one does to be upgraded
		self := must(os.Executable())
		panic(syscall.Exec(self, []string{self, helperArg, "idle"}, nil))
	case "panic":
		unix.Close(2) // the report of the panic would look like a failed test
		panic("the test asked for it")
	}
}

// programs are what a host has started. Each prints the pids that it has, and
// then a point.
var programs = map[string]string{
	"plain":            `echo $$; echo .; exec sleep 60`,
	"stubborn":         `trap '' HUP TERM INT; echo $$; echo .; exec sleep 60`,
	"with a child":     `sleep 60 & echo $$; echo $!; echo .; wait`,
	"with a session":   `exec setsid sh -c 'echo $$; echo .; exec sleep 60'`,
	"a daemon":         `(setsid sh -c 'trap "" HUP TERM; echo $$; echo .; exec sleep 60' &)`,
	"stopped":          `echo $$; echo .; kill -STOP $$; exec sleep 60`,
	"stopped stubborn": `trap '' HUP TERM; echo $$; echo .; kill -STOP $$; exec sleep 60`,
	"stopped polite":   `trap 'echo so be it >hung-up; exit' HUP; echo $$; echo .; kill -STOP $$; sleep 60 & wait`, // a shell that waits hears a signal at once
	"a server":         `trap '' HUP TERM; echo $$; echo .; exec sleep 60`,
}

// start starts a program with mark in its environment and says which pids it has.
func start(mark, script string) *exec.Cmd {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	// Under nohup the tests ignore SIGHUP, and a shell cannot trap what was ignored
	// when it started. What is handled here is not ignored there.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", mark, runVar + "=" + os.Getenv(runVar)}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	w.Close()
	for lines := bufio.NewScanner(r); lines.Scan() && lines.Text() != "."; {
		fmt.Println(lines.Text())
	}
	return cmd
}

// churn does what a host does, over and over.
func churn(args []string) {
	first := must(New(context.Background(), args[0]))
	start(first.Mark("test"), programs["with a session"])
	for {
		l := must(New(context.Background(), args[0]))
		inner := must(New(context.Background(), l.Dir()))
		a := start(l.Mark("test"), programs["stubborn"])
		b := start(inner.Mark("test"), programs["plain"])
		for _, cmd := range []*exec.Cmd{a, b} {
			cmd.Process.Kill()
			cmd.Wait()
		}
		if err := errors.Join(inner.Release(), l.Release()); err != nil {
			panic(err)
		}
	}
}

func list(args []string) {
	for _, e := range must(List(args[0])) {
		fmt.Println(e.State, e.ID, e.Why)
	}
}

// take takes the one dead lease and keeps it for as long as its input is open.
func take(args []string) {
	entries := must(List(args[0]))
	release, err := entries[0].Take()
	if err != nil {
		fmt.Println("not taken:", err)
		return
	}
	fmt.Println("taken")
	io.Copy(io.Discard, os.Stdin)
	release()
}

// full is a process that can't write a byte to any file.
func full(args []string) {
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{}); err != nil {
		panic(err)
	}
	try(args[0])
}

func try(parent string) {
	l, err := New(context.Background(), parent)
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	info := must(os.Lstat(l.Dir()))
	fmt.Println("made:", info.Mode())
	l.Release()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// runVar names, in the environment of everything that a test has started, the
// test.
const runVar = "LEASE_TEST_RUN"

// runName tells this run of a test from others at the same time, and from what one
// that was killed has left.
func runName(t testing.TB) string { return t.Name() + "-" + thisRun }

var thisRun = rand.Text()

// A helper is a process that plays a role, and what it has said of itself.
type helper struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	out      *bufio.Scanner
	id, dir  string // of its lease
	guardian proc.Identity
	programs []proc.Identity
}

// play starts a helper, which ends with the test.
func play(t testing.TB, role string, args ...string) *helper {
	t.Helper()
	h := &helper{cmd: exec.Command(must(os.Executable()), append([]string{helperArg, role}, args...)...)}
	// The race detector makes a program sleep for a second when it ends.
	h.cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", runVar + "=" + runName(t), "GORACE=atexit_sleep_ms=0"}
	h.cmd.Dir = t.TempDir()
	h.cmd.Stderr = os.Stderr
	h.in = must(h.cmd.StdinPipe())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	h.cmd.Stdout = w
	err = h.cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	r.SetReadDeadline(time.Now().Add(2 * time.Minute))
	h.out = bufio.NewScanner(r)
	t.Cleanup(func() {
		h.kill()
		r.Close()
		for _, p := range h.programs {
			if alive(p) {
				syscall.Kill(p.Pid, syscall.SIGKILL)
			}
		}
	})
	return h
}

// ready reads what the helper says until it is ready.
func (h *helper) ready(t testing.TB) *helper {
	t.Helper()
	for h.out.Scan() {
		line := h.out.Text()
		var pid int
		if line == "ready" {
			return h
		} else if _, err := fmt.Sscanf(line, "lease %s %s", &h.id, &h.dir); err == nil {
		} else if _, err := fmt.Sscanf(line, "guardian %d", &pid); err == nil {
			h.guardian = proc.Identify(pid)
		} else if _, err := fmt.Sscanf(line, "%d", &pid); err == nil {
			h.programs = append(h.programs, proc.Identify(pid))
		} else {
			t.Fatalf("the helper said %q", line)
		}
	}
	t.Fatal("the helper did not get ready: ", h.out.Err())
	return nil
}

// rest is what the helper says until it ends.
func (h *helper) rest() (lines []string) {
	for h.out.Scan() {
		lines = append(lines, h.out.Text())
	}
	h.cmd.Wait()
	return lines
}

// kill ends the helper as no process can help.
func (h *helper) kill() {
	h.cmd.Process.Kill()
	h.cmd.Wait()
}

// tell says a word to the helper and waits for its end.
func (h *helper) tell(word string) error {
	io.WriteString(h.in, word+"\n")
	return h.cmd.Wait()
}

func alive(p proc.Identity) bool {
	start, ok := proc.StartTime(p.Pid)
	return ok && start == p.Start
}

// eventually waits until ok reports true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
	}
}

// below lists the directories of leases in parent.
func below(t testing.TB, parent string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// guardianOf is the process that guards l now.
func guardianOf(l *Lease) *exec.Cmd {
	l.guardian.mu.Lock()
	defer l.guardian.mu.Unlock()
	return l.guardian.cmd
}

// hold takes a lease for as long as the test runs.
func hold(t testing.TB, parent string) *Lease {
	t.Helper()
	l, err := New(context.Background(), parent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Release() })
	return l
}
