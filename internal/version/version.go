// Package version asks programs for their versions and compares those.
package version

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// versionWait is how long a program may take to tell its version.
	versionWait = 10 * time.Second

	// versionHolds is how long its word is taken for. An update makes another
	// file, but what is asked may be a script that starts one.
	versionHolds = 10 * time.Minute

	// failureHolds is the same for a program that could not tell: it may have
	// been too busy.
	failureHolds = 30 * time.Second
)

// versions remembers what programs have said.
var versions sync.Map // of programFile to *saidVersion

type programFile struct {
	path string
	size int64
	time time.Time
}

type saidVersion struct {
	asking  chan struct{} // full while the program is asked
	when    time.Time
	version string
	err     error
}

// Of asks a program for its version: "2.1.330". It is asked once for each
// file, whatever it answered, until that is too long ago.
func Of(ctx context.Context, path string, env []string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	v, _ := versions.LoadOrStore(programFile{path, info.Size(), info.ModTime()}, &saidVersion{asking: make(chan struct{}, 1)})
	said := v.(*saidVersion)
	select {
	case said.asking <- struct{}{}:
		defer func() { <-said.asking }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	holds := versionHolds
	if said.err != nil {
		holds = failureHolds
	}
	if said.when.IsZero() || time.Since(said.when) > holds {
		version, err := askVersion(ctx, path, env)
		if ctx.Err() != nil {
			return "", context.Cause(ctx) // it is not the program's fault
		}
		said.when, said.version, said.err = time.Now(), version, err
	}
	return said.version, said.err
}

func askVersion(ctx context.Context, path string, env []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = env
	cmd.Dir = "/" // where nothing lies that it could read
	cmd.WaitDelay = time.Second
	// Where the program is a script, what hangs is something that it has started.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	began := time.Now()
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return "", fmt.Errorf("asking %s for its version: no answer after %.0f s", path, time.Since(began).Seconds())
	}
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", path, err)
	}
	version := versionWord.Find(out)
	if version == nil {
		return "", fmt.Errorf("asking %s for its version: there is none in what it prints", path)
	}
	return string(version), nil
}

// versionWord begins a line: there may be warnings before it.
var versionWord = regexp.MustCompile(`(?m)^\d+\.\d+\.\d+\b`)

// AtLeast compares versions number by number. What is no version is older than
// any.
func AtLeast(version, oldest string) bool {
	have, want := strings.Split(version, "."), strings.Split(oldest, ".")
	for i := range want {
		if i >= len(have) {
			return false
		}
		h, err := strconv.Atoi(have[i])
		if err != nil {
			return false
		}
		if w, _ := strconv.Atoi(want[i]); h != w {
			return h > w
		}
	}
	return true
}
