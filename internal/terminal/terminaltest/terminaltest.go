// Package terminaltest is the test suite for every kind of terminal.
package terminaltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/internal/terminal"
)

// patience limits every wait. It allows for a loaded machine; a wait is usually short.
const patience = 2 * time.Minute

// Run tests the terminals that start makes. If start needs more than the terminal, such as
// a server, it can end that with t.Cleanup. The calling package's TestMain must call
// [Main]. Only /bin/sh has to be installed.
func Run(t *testing.T, start func(t *testing.T, cfg terminal.Config) (terminal.Terminal, error)) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, &suite{start}) })
	}
}

type suite struct {
	start func(t *testing.T, cfg terminal.Config) (terminal.Terminal, error)
}

var lastName atomic.Int64

// config returns the configuration of a helper in a role. Its environment inherits nothing.
func config(t *testing.T, role string, args ...string) terminal.Config {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return terminal.Config{
		Name: fmt.Sprintf("test-%d-%d", os.Getpid(), lastName.Add(1)),
		Path: exe,
		Args: append([]string{helperArg, role}, args...),
		// The race detector makes a program sleep for a second when it ends.
		Env:  []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "GORACE=atexit_sleep_ms=0"},
		Dir:  t.TempDir(),
		Cols: 80,
		Rows: 24,
	}
}

// open starts cfg, which must succeed, and closes it when the test ends.
func (s *suite) open(t *testing.T, cfg terminal.Config) terminal.Terminal {
	t.Helper()
	term, err := s.start(t, cfg)
	if err != nil {
		t.Fatalf("starting: %v", err)
	}
	t.Cleanup(func() {
		if err := shut(term); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return term
}

// shut closes a terminal and kills its program at once: the tests that measure the time to
// end call Close.
func shut(term terminal.Terminal) error {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	return term.Close(ctx)
}

// poll calls ok until it reports true.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}

// load waits for a file that a helper saves and decodes it into v.
func load(t *testing.T, file string, v any) {
	t.Helper()
	var data []byte
	poll(t, filepath.Base(file)+" to be written", func() (ok bool) {
		var err error
		data, err = os.ReadFile(file)
		return err == nil
	})
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

// see waits until the screen holds text and returns the screen.
func see(t *testing.T, term terminal.Terminal, text string) (screen string) {
	t.Helper()
	poll(t, fmt.Sprintf("%q on the screen", text), func() bool {
		var err error
		screen, err = term.Screen(t.Context())
		if err != nil {
			t.Fatalf("reading the screen while waiting for %q: %v", text, err)
		}
		return strings.Contains(screen, text)
	})
	return screen
}

// end waits until the program has ended.
func end(t *testing.T, term terminal.Terminal) syscall.WaitStatus {
	t.Helper()
	select {
	case <-term.Done():
	case <-time.After(patience):
		t.Fatalf("the program's end was not reported within %v", patience)
	}
	return term.Status()
}

// gone fails for each pid that still runs.
func gone(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if _, alive := proc.StartTime(pid); alive {
			t.Errorf("process %d is still there", pid)
		}
	}
}

func wantIs(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: got error %v, want one that is %q", what, err, target)
	}
}
