// Package version asks programs for their versions and compares versions.
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

	"github.com/tuiturn/tuiturn/internal/command"
)

const (
	// versionWait is the timeout for a program to print its version.
	versionWait = 10 * time.Second

	// versionHolds is how long a version is cached. An update changes the file, but the
	// file may be a script that starts another program.
	versionHolds = 10 * time.Minute

	// failureHolds is how long a failure is cached. It is short because the program may
	// only have been too busy.
	failureHolds = 30 * time.Second
)

// versions caches the programs' answers.
var versions sync.Map // programFile to *saidVersion

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

// Of returns the version that a program prints for --version, such as "2.1.330".
// Answers and failures are cached for each file. env is the program's environment.
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
			return "", context.Cause(ctx) // says nothing about the program, so it is not cached
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
	cmd.Dir = "/" // holds no files that instruct the program
	// If the program is a script, a child of the script may be the process that hangs.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	began := time.Now()
	out, _, err := command.Output(cmd) // a child may keep its pipes open
	if ctx.Err() != nil {
		return "", fmt.Errorf("asking %s for its version: no answer after %.0f s", path, time.Since(began).Seconds())
	}
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", path, err)
	}
	version := versionWord.Find(out)
	if version == nil {
		return "", fmt.Errorf("asking %s for its version: its output holds no version", path)
	}
	return string(version), nil
}

// versionWord matches a version at the beginning of a line. Lines with warnings may
// stand before it.
var versionWord = regexp.MustCompile(`(?m)^\d+\.\d+\.\d+\b`)

// AtLeast tells whether version is oldest or newer, number by number. A string that is
// no version is older than any version.
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
