package version

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/exectest"
	"github.com/tuiturn/tuiturn/internal/proc"
)

// Nobody waits for a program that another one has asked for its version.
func TestVersionIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	program := filepath.Join(t.TempDir(), "agent")
	exectest.Write(t, program, "#!/bin/sh\necho asked >"+program+".log; exec sleep 8")
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() { Of(ctx, program, nil) })
	defer asking.Wait()
	defer cancel()
	is.True(eventually(func() bool { return isThere(program + ".log") }))
	late, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	began := time.Now()
	_, err := Of(late, program, nil)
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.True(time.Since(began) < 7*time.Second) // the program takes eight
}

// Nothing is left of a program that does not tell its version, a script's child
// neither, and the error says what is wrong with it.
func TestVersionThatDoesNotCome(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	program := filepath.Join(t.TempDir(), "agent")
	exectest.Write(t, program, "#!/bin/sh\nsleep 60 & echo $! >"+program+".pid; wait")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := askVersion(ctx, program, nil)
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "no answer after"))
	pid, err := os.ReadFile(program + ".pid")
	is.NoErr(err)
	child, err := strconv.Atoi(strings.TrimSpace(string(pid)))
	is.NoErr(err)
	is.True(eventually(func() bool { _, alive := proc.StartTime(child); return !alive }))
}

func TestAtLeast(t *testing.T) {
	is := is.New(t)
	for _, v := range []string{"2.1.152", "2.1.153", "2.2.0", "3.0.0", "10.0.0", "2.1.1000"} {
		is.True(AtLeast(v, "2.1.152"))
	}
	for _, v := range []string{"", "2", "2.1", "2.1.151", "2.0.999", "1.9.999", "two.1.152", "0.0.0-fake"} {
		is.True(!AtLeast(v, "2.1.152"))
	}
}

func TestVersionOf(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	program := filepath.Join(dir, "agent")
	write := func(script string) {
		exectest.Write(t, program+".new", "#!/bin/sh\n"+script)
		is.NoErr(os.Rename(program+".new", program))
	}
	ask := func() (string, error) { return Of(t.Context(), program, []string{"NAME=of the test"}) }

	write("echo called >>" + program + `.log; echo "2.1.330 ($NAME)"`)
	for range 3 {
		v, err := ask()
		is.NoErr(err)
		is.Equal(v, "2.1.330")
	}
	calls, err := os.ReadFile(program + ".log")
	is.NoErr(err)
	is.Equal(string(calls), "called\n") // asked once

	write(`echo 2.1.3; : an update`)
	v, err := ask()
	is.NoErr(err)
	is.Equal(v, "2.1.3")

	write("echo no version of that kind")
	_, err = ask()
	is.True(err != nil)
	write("exit 3")
	_, err = ask()
	is.True(err != nil)
	is.NoErr(os.Remove(program))
	_, err = ask()
	is.True(errors.Is(err, os.ErrNotExist))
}

// eventually waits for something that has no event.
func eventually(ok func() bool) bool {
	for range 10_000 {
		if ok() {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

func isThere(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}
