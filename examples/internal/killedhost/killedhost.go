// Package killedhost kills a host together with its guardian, for tests of programs
// that clean up what such a host leaves.
package killedhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// dirVar makes a test binary the host. Its value is the directory that the host
// uses.
const dirVar = "TUITURN_KILLED_HOST"

// Play makes the test binary act as the host or as its agent, if it was started as
// one. Call it first in TestMain.
//
// After Play, the sweeps of this process end only what is in their directories: the
// machine may have dead hosts that belong to no test.
func Play() {
	lease.Apart()
	switch dir := os.Getenv(dirVar); {
	case fakeagent.Enabled():
		os.Exit(fakeagent.Main())
	case dir != "":
		fmt.Fprintln(os.Stderr, play(dir))
		os.Exit(1)
	}
	lease.Considered = lease.NoOrphans
}

// play runs a turn that hangs.
func play(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	script := fakeagent.Script{IgnoreHangup: true, IgnoreTerm: true, Turns: []fakeagent.Turn{{Hang: true}}}
	r := &tuiturn.Runner{
		Agent:      tuiturn.Claude{Path: self},
		Home:       tuiauth.Home{Dir: filepath.Join(dir, "home"), Mode: tuiauth.Isolated},
		Token:      "a-dummy-token",
		Terminal:   tuiturn.Pty,
		TempDir:    filepath.Join(dir, "t"),
		Env:        script.Environ(),
		SweepEvery: -1,
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // should the test die
	defer cancel()
	_, err = r.Turn(ctx, tuiturn.Request{
		Prompt: "hello", WorkDir: dir,
		Trace: &tuiturn.Trace{Submitted: func() { fmt.Println("ready") }},
	})
	return errors.Join(err, r.Close())
}

// Leave runs a host and kills it together with its guardian. The host leaves a running
// agent and a private directory, which is in the returned directory for temporary
// files. Both end with the test.
func Leave(t testing.TB) (tempDir string, hostPid int) {
	t.Helper()
	dir, err := os.MkdirTemp("", "kh-") // short: sockets are made below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	tempDir = filepath.Join(dir, "t")
	self, err := os.Executable()
	if err == nil {
		err = os.Mkdir(tempDir, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	host := exec.Command(self)
	host.Env = []string{dirVar + "=" + dir, "PATH=/usr/local/bin:/usr/bin:/bin", "TMPDIR=" + tempDir}
	host.Stderr = os.Stderr
	out, err := host.StdoutPipe()
	if err == nil {
		err = host.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		host.Wait()
		t.Fatalf("the host did not come up: %v", err)
	}
	// Stopped, or it would start another guardian.
	host.Process.Signal(syscall.SIGSTOP)
	children, err := proc.Children(host.Process.Pid)
	if err != nil {
		t.Error(err)
	}
	for _, child := range children {
		if child.Name == "tuiturn-guard" {
			child.Signal(syscall.SIGKILL)
			continue
		}
		t.Cleanup(func() { child.Signal(syscall.SIGKILL) }) // whatever the test makes of it
	}
	host.Process.Kill()
	host.Wait()
	return tempDir, host.Process.Pid
}
