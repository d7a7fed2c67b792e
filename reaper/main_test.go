package reaper_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/reaper"
)

// helperArg makes the test binary another program: a host that will be killed,
// a second sweeper, a process 1.
const helperArg = "reaper-test-helper"

var roles = map[string]func(input []byte) (answer any, err error){
	"host":  playHost,
	"sweep": playSweep,
}

// Systems add theirs.
func role(name string, play func(input []byte) (any, error)) { roles[name] = play }

func TestMain(m *testing.M) {
	lease.Apart()
	lease.Considered = func(id string) bool { _, ok := considered.Load(id); return ok }
	if len(os.Args) == 4 && os.Args[1] == helperArg {
		play(os.Args[2], os.Args[3])
	}
	// The tests wait most of the time. The command line still wins: it is read
	// later.
	flag.Set("test.parallel", fmt.Sprint(max(4, runtime.GOMAXPROCS(0))))
	os.Exit(m.Run())
}

// considered are the IDs of the leases whose programs a sweep may take for
// orphans. The machine has other hosts, also dead ones, those of other tests
// among them: their leftovers are not a test's to end.
var considered sync.Map

// play answers on standard output, and then lives until standard input ends.
func play(role, input string) {
	answer, err := roles[role]([]byte(input))
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// start runs the test binary in a role. attr may be nil. The process is killed
// with the test.
func start(t *testing.T, role string, input any, attr *syscall.SysProcAttr) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd, out, err := tryStart(t, role, input, attr)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

func tryStart(t *testing.T, role string, input any, attr *syscall.SysProcAttr) (*exec.Cmd, *bufio.Reader, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, helperArg, role, string(in))
	cmd.Env = shell
	cmd.SysProcAttr = attr
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, bufio.NewReader(out), nil
}

// answer reads what a role has answered.
func answer(t *testing.T, out *bufio.Reader, into any) {
	t.Helper()
	line, err := out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, into)
	}
	if err != nil {
		t.Fatalf("the helper's answer: %v", err)
	}
}

// A plan is what a host makes.
type plan struct {
	Parent   string // of its lease's directory
	Tmux     string // empty: no private server
	Shared   string // the socket of a shared server, or empty
	Prefix   string
	Session  string   // the script of the session on it
	Programs []string // shell scripts, each in a process that carries the mark
	Guarded  bool     // the guardian may act
	User     uint32   // who runs the programs, if not 0
	Heir     bool     // one more program, with the host's own environment

	// Considered: what it leaves may be taken for orphans. The test is not
	// parallel, or others' sweeps would take it.
	Considered bool
}

// A host is what a host has made.
type host struct {
	ID, Dir   string
	Guardians []proc.Identity

	cmd      *exec.Cmd
	programs []proc.Identity // all that carries the mark
}

// shell is the environment of what a test starts. The race detector makes a
// program sleep for a second when it ends.
var shell = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "GORACE=atexit_sleep_ms=0"}

func playHost(input []byte) (any, error) {
	var p plan
	if err := json.Unmarshal(input, &p); err != nil {
		return nil, err
	}
	l, err := lease.New(context.Background(), p.Parent)
	if err != nil {
		return nil, err
	}
	h := &host{ID: l.ID(), Dir: l.Dir()}
	children, err := proc.Children(os.Getpid())
	if err != nil {
		return nil, err
	}
	for _, c := range children {
		h.Guardians = append(h.Guardians, c.Identity)
		if !p.Guarded { // what it does not do is left to the sweep
			syscall.Kill(c.Pid, syscall.SIGSTOP)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(l.Dir(), "fifo"), 0o600); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(l.Dir(), "home"), 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(l.Dir(), "home", "file"), nil, 0o400); err != nil {
		return nil, err
	}
	run := func(env []string, words ...string) (*exec.Cmd, error) {
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Env = append(shell[:len(shell):len(shell)], env...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if p.User != 0 {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: p.User, Gid: p.User}
		}
		return cmd, cmd.Start()
	}
	// The last word is what a pane of ours is told by.
	program := func(name, script string) []string {
		return []string{"/usr/bin/env", "-i", shell[0], l.Mark(name), "/bin/sh", "-c", script, filepath.Join(l.Dir(), "env-1")}
	}
	if p.Tmux != "" && p.Shared == "" {
		socket := filepath.Join(l.Dir(), "s")
		server, err := run([]string{l.ServerMark()}, p.Tmux, "-D", "-u", "-f", "/dev/null", "-S", socket)
		if err != nil {
			return nil, err
		}
		go server.Wait() // and -N below: no other server is to be started
		words := append([]string{"-N", "-u", "-S", socket, "new-session", "-d", "-s", "turn-1"}, program("turn-1", "exec sleep 1000")...)
		if err := retry(func() error { return exec.Command(p.Tmux, words...).Run() }); err != nil {
			return nil, err
		}
	}
	if p.Shared != "" {
		s := lease.SharedServer{Socket: p.Shared, Tmux: p.Tmux, Prefix: p.Prefix}
		if err := l.AddServer(s); err != nil {
			return nil, err
		}
		words := append([]string{"-u", "-f", "/dev/null", "-S", p.Shared, "new-session", "-d", "-s", p.Prefix + "1"},
			program(p.Prefix+"1", p.Session)...)
		words = append(words, ";", "set-option", "-t", p.Prefix+"1", "remain-on-exit", "on")
		if out, err := exec.Command(p.Tmux, words...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w: %s", err, out)
		}
	}
	if p.Heir {
		heir := exec.Command("/bin/sleep", "1000")
		if err := heir.Start(); err != nil {
			return nil, err
		}
		go heir.Wait()
	}
	for i, script := range p.Programs {
		words := program(fmt.Sprint("turn-", i), script)
		cmd, err := run(nil, words...)
		if err != nil {
			return nil, err
		}
		go cmd.Wait()
	}
	return h, nil
}

func playSweep(input []byte) (any, error) {
	var cfg reaper.SweepConfig
	if err := json.Unmarshal(input, &cfg); err != nil {
		return nil, err
	}
	report, err := reaper.Sweep(context.Background(), cfg)
	return swept{report, fmt.Sprint(err)}, nil
}

// swept is what a sweep has returned.
type swept struct {
	Report reaper.Report
	Err    string
}

// retry does something until it succeeds.
func retry(do func() error) (err error) {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = do(); err == nil {
			return nil
		}
	}
	return err
}

// startHost starts a host and waits until it has made what was planned. All of
// it is ended with the test.
func startHost(t *testing.T, p plan) *host {
	t.Helper()
	cmd, out := start(t, "host", p, &syscall.SysProcAttr{Setsid: true})
	h := &host{cmd: cmd}
	answer(t, out, h)
	if p.Considered {
		considered.Store(h.ID, true)
	}
	h.endWithTest(t)
	// What the scripts start comes a moment later. A look is not cheap.
	same := 0
	eventually(t, "the host's programs", func() bool {
		time.Sleep(20 * time.Millisecond)
		now := identities(t, h.ID)
		if !slices.Equal(now, h.programs) {
			same = 0
		}
		h.programs = now
		same++
		return same > 4
	})
	return h
}

// endWithTest ends all that a host has made, and it.
func (h *host) endWithTest(t *testing.T) {
	t.Cleanup(func() {
		if h.cmd != nil {
			h.kill(t)
		}
		for _, g := range h.Guardians {
			if proc.Identify(g.Pid) == g {
				syscall.Kill(g.Pid, syscall.SIGKILL)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := proc.End(ctx, proc.Target{Match: carries(h.ID)}); err != nil {
			t.Error(err)
		}
	})
}

// deadHost is a host that was killed with SIGKILL, as was everything that could
// have cleaned up after it.
func deadHost(t *testing.T, p plan) *host {
	t.Helper()
	h := startHost(t, p)
	h.kill(t)
	return h
}

func (h *host) kill(t *testing.T) {
	t.Helper()
	h.cmd.Process.Kill()
	h.cmd.Wait()
}

// carries matches what belongs to a lease.
func carries(id string) func(entry string) bool {
	return func(entry string) bool {
		_, of, ok := lease.ParseMark(entry)
		return ok && of == id
	}
}

// carriers are the living processes of a lease.
func carriers(t *testing.T, id string) []proc.Carrier {
	t.Helper()
	found, err := proc.Find(carries(id))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func identities(t *testing.T, id string) (all []proc.Identity) {
	t.Helper()
	for _, c := range carriers(t, id) {
		all = append(all, c.Identity)
	}
	return all
}

// gone fails if anything of a host is left.
func (h *host) gone(t *testing.T) {
	t.Helper()
	for _, c := range carriers(t, h.ID) {
		t.Errorf("process %d (%s) is left", c.Pid, c.Name)
	}
	if _, err := os.Lstat(h.Dir); err == nil {
		t.Errorf("%s is left", h.Dir)
	}
}

// whole fails if anything that a host has made was touched.
func (h *host) whole(t *testing.T) {
	t.Helper()
	if now := identities(t, h.ID); !slices.Equal(now, h.programs) {
		t.Errorf("the programs were %v and now are %v", h.programs, now)
	}
	for _, name := range []string{"lease", "fifo", "home/file"} {
		if _, err := os.Lstat(filepath.Join(h.Dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// eventually waits until ok reports true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
	}
}

// tempDir is a directory with a short name, as sockets need.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tt-")
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// lines are what a report says of a host, one finding a line, without what
// differs from run to run.
func lines(report reaper.Report, h *host) (all []string) {
	for _, f := range report.Found {
		if f.Owner != h.ID {
			continue
		}
		name := f.Name
		if name == "" {
			name = strings.TrimPrefix(f.Path, h.Dir)
		}
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Verdict, f.Kind, name)))
	}
	return all
}

// below are the names in a directory.
func below(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
