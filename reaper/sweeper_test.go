package reaper_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/exectest"
	"github.com/tuiturn/tuiturn/reaper"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// run has s sweep until the test ends, and returns the times of its sweeps.
func run(t *testing.T, s *reaper.Sweeper) (sweeps <-chan time.Duration) {
	t.Helper()
	began, all := time.Now(), make(chan time.Duration, 100)
	s.OnReport = func(r reaper.Report, err error) {
		if err != nil {
			t.Error(err)
		}
		all <- time.Since(began)
	}
	go func() {
		if err := s.Run(t.Context()); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	return all
}

func busy(t *testing.T, s *reaper.Sweeper) (done func()) {
	t.Helper()
	done, err := s.Busy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func TestSweeperSweepsAtOnceAndThenFromTimeToTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		sweeps := run(t, &reaper.Sweeper{Config: reaper.SweepConfig{Dirs: []string{dir}}})
		is.Equal(<-sweeps, time.Duration(0))
		is.Equal(<-sweeps, 10*time.Minute)
		is.Equal(<-sweeps, 20*time.Minute)
	})
}

func TestSweeperWaitsForIdleness(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		s := &reaper.Sweeper{Config: reaper.SweepConfig{Dirs: []string{dir}}, Every: time.Hour}
		one, two := busy(t, s), busy(t, s)
		sweeps := run(t, s)
		time.Sleep(3 * time.Hour)
		one()
		one() // a second call is none
		time.Sleep(time.Hour)
		synctest.Wait()
		is.Equal(len(sweeps), 0)
		two()
		is.Equal(<-sweeps, 4*time.Hour)
		time.Sleep(30 * time.Minute)
		busy(t, s)() // a turn between two sweeps delays none
		is.Equal(<-sweeps, 5*time.Hour)
	})
}

// A shared server that was stopped holds up one turn, for a moment, and not each
// turn that follows.
func TestAStoppedServerDoesNotHoldUpTurns(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	path := tmuxtest.Require(t)
	dir, server := tempDir(t), newServer(t, path)
	pid := sessions(t, server, "work")
	tells := filepath.Join(dir, "tmux") // that it was started
	exectest.Write(t, tells, "#!/bin/sh\n: >"+dir+"/asked\nexec "+path+` "$@"`+"\n")
	h := deadHost(t, plan{Parent: dir, Tmux: tells, Shared: server.Socket, Prefix: "turn-1-", Session: sleeps})
	is.NoErr(os.Remove(filepath.Join(dir, "asked")))
	is.NoErr(syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
	reports := make(chan error, 100)
	s := &reaper.Sweeper{Config: reaper.SweepConfig{Dirs: []string{dir}}, Every: time.Hour}
	s.OnReport = func(_ reaper.Report, err error) { reports <- err }
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	eventually(t, "the server to be asked", func() bool { _, err := os.Stat(filepath.Join(dir, "asked")); return err == nil })

	began := time.Now()
	done := busy(t, s)
	waited := time.Since(began)
	t.Logf("the first turn waited %v", waited)
	is.True(errors.Is(<-reports, context.Canceled))
	h.whole(t)
	done()
	busy(t, s)() // turn after turn
	busy(t, s)()
	is.Equal(len(reports), 0) // none of them met a sweep

	is.NoErr(syscall.Kill(pid, syscall.SIGCONT))
	is.NoErr(<-reports)
	is.True(time.Since(began) > 5*time.Second) // settleTime
	h.gone(t)
	stop()
	is.True(errors.Is(<-ended, context.Canceled))
}

// A turn that starts while a sweep is under way waits for the lease that the
// sweep is at, and no longer.
func TestATurnInterruptsASweep(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := tempDir(t)
	const n = 3
	for range n {
		deadHost(t, plan{Parent: dir, Programs: stubborn[:1]}) // each takes endGrace
	}
	reports := make(chan reaper.Report, n+1)
	s := &reaper.Sweeper{
		Config: reaper.SweepConfig{Dirs: []string{dir}},
		Every:  time.Hour,
	}
	s.OnReport = func(r reaper.Report, err error) {
		is.True(err == nil || errors.Is(err, context.Canceled))
		reports <- r
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()

	eventually(t, "a sweep to begin", func() bool { return s.Sweeping() })
	began := time.Now()
	expired, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("no time")
	cancel(cause)
	_, err := s.Busy(expired)
	is.True(errors.Is(err, cause))
	done := busy(t, s)
	waited := time.Since(began)
	first := <-reports
	t.Logf("the turn waited %v", waited)
	is.True(len(below(t, dir)) > 0) // it has not gone on to the end
	is.True(!s.Sweeping())
	done()
	total := len(first.Found)
	for len(below(t, dir)) > 0 {
		total += len((<-reports).Found)
	}
	is.True(total >= 4*n) // fifo, directory, and the programs of each
	stop()
	is.True(errors.Is(<-ended, context.Canceled))
}
