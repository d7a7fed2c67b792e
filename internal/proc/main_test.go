package proc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// helperArg makes the test binary play what no shell can.
const helperArg = "proc-test-helper"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == helperArg {
		helper(os.Args[2])
	}
	os.Exit(m.Run())
}

func helper(role string) {
	switch role {
	case "group": // a background group, as a shell with job control makes one
		cmd := exec.Command("sleep", "60")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			os.Exit(1)
		}
		fmt.Println(cmd.Process.Pid)
		fmt.Println("ready")
	case "headless": // lives on without its main thread
		go func() {
			for {
				if stat, _ := os.ReadFile("/proc/self/stat"); strings.Contains(string(stat), ") Z ") {
					fmt.Println("ready")
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		exitThread()
	case "waits": // cannot be interrupted
		fmt.Println("ready")
		vfork()
	case "end-all": // ends whatever carries its own marker
		marker := "PROC_TEST=" + os.Getenv("PROC_TEST")
		at, cancel := context.WithCancel(context.Background())
		cancel()
		if err := End(at, Target{Match: exactly(marker)}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	case "sleep": // as sleep 60 does, where the system shows its environment
		fmt.Println("ready")
	}
	time.Sleep(time.Minute)
	os.Exit(0)
}

var lastMarker atomic.Int64

// newMarker is an environment entry that nothing else on the host has.
func newMarker() string {
	return fmt.Sprintf("PROC_TEST=%d-%d", os.Getpid(), lastMarker.Add(1))
}

func exactly(marker string) func(entry string) bool {
	return func(entry string) bool { return entry == marker }
}

// A tree is a program of a test that leads a session, and what it has started.
type tree struct {
	cmd      *exec.Cmd
	target   Target
	children []Identity // the pids it has printed, one a line, before "ready"
}

// plant starts words with marker as its only variable besides PATH, and returns
// once it says that it is ready. It is not reaped before the test asks for it.
func plant(t *testing.T, marker string, words ...string) *tree {
	t.Helper()
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", marker}
	cmd.Stdout = w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	tr := &tree{cmd: cmd, target: Target{Identity: Identify(cmd.Process.Pid)}}
	t.Cleanup(func() {
		for _, id := range append(tr.children, tr.target.Identity) {
			signal(id, unix.SIGKILL)
		}
		cmd.Wait()
	})
	out.SetReadDeadline(time.Now().Add(2 * time.Minute))
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil && err != io.EOF {
			t.Fatalf("%q: %v", words, err)
		}
		if line == "ready\n" || err == io.EOF {
			return tr
		}
		var pid int
		if _, err := fmt.Sscan(line, &pid); err != nil {
			t.Fatalf("%q said %q", words, line)
		}
		tr.children = append(tr.children, Identify(pid))
	}
}

func sh(t *testing.T, script string) *tree {
	t.Helper()
	return plant(t, "PROC_TEST=none", "/bin/sh", "-c", script)
}

// alive fails if one of the tree has ended.
func (tr *tree) alive(t *testing.T) {
	t.Helper()
	for _, id := range append(tr.children, tr.target.Identity) {
		if start, alive := StartTime(id.Pid); !alive || start != id.Start {
			t.Errorf("process %d has ended", id.Pid)
		}
	}
}

// gone fails for each of the tree that lives.
func (tr *tree) gone(t *testing.T) {
	t.Helper()
	for _, id := range append(tr.children, tr.target.Identity) {
		if start, alive := StartTime(id.Pid); alive && start == id.Start {
			t.Errorf("process %d lives", id.Pid)
		}
	}
}

// eventually waits until ok reports true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
	}
}
