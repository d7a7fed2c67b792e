package fakeagent

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// stubbornLife limits the life of a process that ignores its terminal's end.
const stubbornLife = 2 * time.Minute

// childArg as the first argument makes Main a child instead of an agent. The
// two after it are the kind and the log.
const childArg = "fakeagent-child"

// childEnv is the environment of what the agent starts: its own without
// EnvVar, so that a hook or an editor that is the same program does not
// become an agent.
func childEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, EnvVar+"=") {
			env = append(env, kv)
		}
	}
	return env
}

// startChildren starts processes and returns when each is ready, as its kind requires.
func (a *agent) startChildren(kinds []Child) error {
	for _, k := range kinds {
		if err := startChild(k, a.script.ChildLog); err != nil {
			return fmt.Errorf("start child %s: %w", k, err)
		}
	}
	return nil
}

func startChild(kind Child, log string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	c := exec.Command(self, childArg, string(kind), log)
	c.Env = append(childEnv(), EnvVar+"={}")
	c.ExtraFiles = []*os.File{w} // tells that the child is ready
	c.SysProcAttr = &syscall.SysProcAttr{}
	switch kind {
	case ChildSession, ChildBare:
		// The second of two forks: sh starts the child and is gone.
		c = exec.Command("/bin/sh", "-c", `"$@" & exit 0`, "sh", self, childArg, string(kind), log)
		c.Env = append(childEnv(), EnvVar+"={}")
		if kind == ChildBare {
			c.Env = []string{EnvVar + "={}"}
		}
		c.ExtraFiles = []*os.File{w}
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	case ChildBackground:
		c.SysProcAttr.Setpgid = true
	}
	err = c.Start()
	w.Close()
	if err != nil {
		return err
	}
	if kind == ChildSession || kind == ChildBare {
		c.Wait()
	}
	var b [1]byte
	if _, err := r.Read(b[:]); err != nil {
		return fmt.Errorf("it did not come up: %w", err)
	}
	return nil
}

// child is the main function of a process that startChild started.
func child(kind Child, log string) int {
	if kind != ChildPlain {
		signal.Ignore(syscall.SIGHUP, syscall.SIGTERM)
	}
	if log != "" {
		f, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err == nil {
			_, err = fmt.Fprintf(f, "%s %d\n", kind, os.Getpid())
			f.Close()
		}
		if err != nil {
			return 1
		}
	}
	ready := os.NewFile(3, "ready")
	ready.Write([]byte{'.'})
	ready.Close()
	time.Sleep(stubbornLife)
	return 0
}
