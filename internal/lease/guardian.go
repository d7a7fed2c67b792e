package lease

import (
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// guardianScript is for any POSIX shell. It reads its standard input, a pipe whose other
// end only the host holds. A line tells the guardian to exit. The end of the pipe tells
// that the host has died, for whatever reason.
//
//go:embed guardian.sh
var guardianScript string

var comments = regexp.MustCompile(`(?m)^\s*(#.*)?\n`)

// guardianTitle is what a person sees in ps.
const guardianTitle = "# tuiturn-guardian: when its host has died, this ends what the host has left\n"

// Tests change these.
var (
	shell = "/bin/sh"

	// toolPath is the guardian's PATH, and all of its environment.
	toolPath = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/run/current-system/sw/bin"
)

const (
	// A guardian that was killed is replaced after a pause. The pause doubles each
	// time, unless the last guardian lived for steady.
	minPause = 10 * time.Millisecond
	maxPause = 30 * time.Second
	steady   = time.Minute

	// endWait is how long a guardian may take to exit before it is killed. It takes 1 ms.
	// killWait is how long it may take then: only a busy machine can delay that.
	endWait  = 2 * time.Second
	killWait = 30 * time.Second
)

// A guardian ends what belongs to a lease after its host has died. It is a process of
// its own in a session of its own, so it survives the host.
type guardian struct {
	args  []string      // of the shell
	quit  chan struct{} // closed when it is to exit
	ended chan struct{} // closed when no process is left and none will come

	mu   sync.Mutex
	cmd  *exec.Cmd
	pipe *os.File // our end
}

func startGuardian(id, dir string, info fs.FileInfo) (*guardian, error) {
	for _, tool := range tools {
		if !found(tool) {
			return nil, fmt.Errorf("starting its guardian: there is no %s in %s: install it", tool, toolPath)
		}
	}
	g := &guardian{
		args: []string{"-c", guardianTitle + look + comments.ReplaceAllString(guardianScript, ""),
			"tuiturn-guardian", id, dir, fmt.Sprint(info.Sys().(*syscall.Stat_t).Ino)},
		quit:  make(chan struct{}),
		ended: make(chan struct{}),
	}
	if err := g.start(); err != nil {
		return nil, fmt.Errorf("starting its guardian: %w: a POSIX shell is needed, and room for one more process", err)
	}
	go g.keep()
	return g, nil
}

func found(tool string) bool {
	for _, dir := range filepath.SplitList(toolPath) {
		if info, err := os.Stat(filepath.Join(dir, tool)); err == nil && info.Mode()&0o111 != 0 {
			return true
		}
	}
	return false
}

// start starts a process.
func (g *guardian) start() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(shell, g.args...)
	cmd.Args[0] = "sh" // where that is busybox, it goes by this name
	cmd.Env = []string{"PATH=" + toolPath}
	cmd.Dir = "/"
	cmd.Stdin = r
	cmd.ExtraFiles = make([]*os.File, inheritable()) // a nil one is closed
	// What is sent to the host's group, by a terminal or a service manager,
	// is not for the guardian.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return err
	}
	g.cmd, g.pipe = cmd, w
	return nil
}

// inheritable returns how many descriptors after the first three must be closed in a
// child. The exec closes our own. But descriptors that this process got from its parent
// are passed on, and somebody may wait for the last copy to close.
func inheritable() int {
	highest := 2
	fds, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0
	}
	for _, fd := range fds {
		n, err := strconv.Atoi(fd.Name())
		if err != nil {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			highest = max(highest, n)
		}
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && uint64(limit.Cur) < uint64(highest)+spare {
		// A descriptor above a limit that was lowered later cannot be closed in this
		// way: the start would need a descriptor above the limit. The guardian keeps
		// it open until it ends.
		highest = max(2, int(limit.Cur)-spare)
	}
	return highest - 2
}

// spare is how many descriptors the start of a process needs, besides those that the
// process gets.
const spare = 8

// keep waits for the process and replaces it, unless the guardian was released.
func (g *guardian) keep() {
	defer close(g.ended)
	pause := minPause
	for {
		began := time.Now()
		g.cmd.Wait()
		g.pipe.Close()
		if time.Since(began) > steady {
			pause = minPause
		}
		for started := false; !started; pause = min(2*pause, maxPause) {
			select {
			case <-g.quit:
				return
			case <-time.After(pause):
			}
			g.mu.Lock()
			select {
			case <-g.quit:
			default:
				started = g.start() == nil
			}
			g.mu.Unlock()
		}
	}
}

// release tells the guardian to exit and waits for its process. It must be called once.
func (g *guardian) release() error {
	g.mu.Lock()
	close(g.quit)
	g.pipe.WriteString("released\n") // fails if it has died
	g.pipe.Close()
	pid, kill := g.cmd.Process.Pid, g.cmd.Process.Kill
	g.mu.Unlock()
	select {
	case <-g.ended:
		return nil
	case <-time.After(endWait):
		kill() // it was stopped
	}
	select {
	case <-g.ended:
		return nil
	case <-time.After(killWait):
	}
	return fmt.Errorf("its guardian, process %d, is still there after SIGKILL", pid)
}
