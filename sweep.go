package tuiturn

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tuiturn/tuiturn/reaper"
)

// firstSweep limits how long the first turns wait for the first sweep, and after that
// for the lease that the sweep is looking at. A sweep takes some milliseconds, and two
// seconds for each dead host whose programs do not exit at once. The rest of a sweep is
// done when no turn runs.
const firstSweep = 3 * time.Second

// A sweeper cleans up after dead hosts for a Runner. A nil sweeper does nothing.
type sweeper struct {
	reaper.Sweeper
	swept chan struct{} // closed after the first sweep
	ended chan struct{} // closed when the sweeper has ended
}

// startSweeper starts a sweeper, which ends with ctx. reaped is called for each process
// of a dead host that was ended.
func startSweeper(ctx context.Context, every time.Duration, tempDir string, log *slog.Logger, reaped func()) *sweeper {
	s := &sweeper{swept: make(chan struct{}), ended: make(chan struct{})}
	s.Every = every
	s.Config.Log = log
	if tempDir != "" {
		s.Config.Dirs = []string{tempDir}
	}
	swept := sync.OnceFunc(func() { close(s.swept) })
	s.OnReport = func(report reaper.Report, err error) {
		swept()
		for _, f := range report.Found {
			if f.Kind == reaper.Process && f.Verdict == reaper.Ended {
				reaped()
			}
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			log.Warn(err.Error())
		}
	}
	go func() {
		defer close(s.ended)
		s.Run(ctx)
	}()
	return s
}

// busy keeps the sweeper from sweeping until the caller calls idle. idle is never nil.
func (s *sweeper) busy(ctx context.Context) (idle func(), err error) {
	if s == nil {
		return func() {}, nil
	}
	late := time.NewTimer(firstSweep)
	defer late.Stop()
	select {
	case <-s.swept:
	case <-late.C:
	case <-ctx.Done():
	}
	if idle, err = s.Busy(ctx); err != nil {
		return func() {}, err
	}
	return idle, nil
}

func (s *sweeper) wait() {
	if s != nil {
		<-s.ended
	}
}
