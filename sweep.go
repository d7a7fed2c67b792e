package tuiturn

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tuiturn/tuiturn/reaper"
)

// firstSweep is how long the first turns wait for the first sweep, and then for
// the lease that it is at. It takes some milliseconds, and two seconds for each
// dead host whose programs are stubborn; what is not done in time is done when no
// turn runs.
const firstSweep = 3 * time.Second

// A sweeper sweeps for a Runner. A nil one does nothing.
type sweeper struct {
	reaper.Sweeper
	swept chan struct{} // closed after the first sweep
	ended chan struct{} // closed when it sweeps no more
}

// startSweeper starts one, which ends with r.ctx.
func (r *Runner) startSweeper() *sweeper {
	s := &sweeper{swept: make(chan struct{}), ended: make(chan struct{})}
	s.Every = r.SweepEvery
	s.Config.Log = r.Log
	if r.TempDir != "" {
		s.Config.Dirs = []string{r.TempDir}
	}
	swept := sync.OnceFunc(func() { close(s.swept) })
	s.OnReport = func(report reaper.Report, err error) {
		swept()
		for _, f := range report.Found {
			if f.Kind == reaper.Process && f.Verdict == reaper.Ended {
				r.counts.add(func(s *Stats) { s.Reaped++ })
			}
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			r.log().Warn(err.Error())
		}
	}
	go func() {
		defer close(s.ended)
		s.Run(r.ctx)
	}()
	return s
}

// busy keeps it from sweeping until idle is called, which is never nil.
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
