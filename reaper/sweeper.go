package reaper

import (
	"context"
	"sync"
	"time"
)

// sweepEvery is the default of Sweeper.Every.
const sweepEvery = 10 * time.Minute

// settleTime is how long a program must be idle before an interrupted sweep
// continues. Otherwise a sweep would delay each of several turns in a row.
const settleTime = 5 * time.Second

// A Sweeper sweeps at once and then at intervals, while its program is idle. Its
// methods are safe for concurrent use. Its fields must not be changed after Run was
// called.
type Sweeper struct {
	// Config is passed to each Sweep.
	Config SweepConfig

	// Every is the time from the end of one sweep to the next; zero means ten
	// minutes.
	Every time.Duration

	// OnReport, if not nil, is called by Run after each sweep with the results of
	// Sweep. The error wraps context.Canceled if Busy interrupted the sweep.
	OnReport func(Report, error)

	mu    sync.Mutex
	busy  int
	turns int                // calls of Busy
	idle  chan struct{}      // closed when busy is 0 again; nil while it is
	swept chan struct{}      // closed when the sweep under way is over; nil without one
	yield context.CancelFunc // asks that sweep to be over soon
}

// Busy tells the Sweeper that the program is not idle until done is called. done may
// be called more than once. A sweep that is under way finishes its current lease, and
// Busy waits for that: mostly no time at all, a few seconds if programs of a dead host
// ignore signals. If ctx ends first, the error is its cause and done is nil.
//
// A sweep never touches what belongs to a living host. Busy only keeps a sweep from
// taking processor time from a turn.
func (s *Sweeper) Busy(ctx context.Context) (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns++
	if s.busy++; s.busy == 1 {
		s.idle = make(chan struct{})
	}
	if s.swept != nil {
		// Another can't begin before done is called.
		swept := s.swept
		s.yield()
		s.mu.Unlock()
		select {
		case <-swept:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		s.mu.Lock()
	}
	if err != nil {
		s.done()
		return nil, err
	}
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.done()
	}), nil
}

// done takes back one Busy. The caller holds s.mu.
func (s *Sweeper) done() {
	if s.busy--; s.busy == 0 {
		close(s.idle)
		s.idle = nil
	}
}

// Run sweeps until ctx ends and returns ctx's cause. In a program that is never idle,
// Run never sweeps.
func (s *Sweeper) Run(ctx context.Context) error {
	every := s.Every
	if every <= 0 {
		every = sweepEvery
	}
	yielded := false
	for {
		if yielded {
			if err := s.settle(ctx); err != nil {
				return err
			}
		}
		sweep, over, err := s.begin(ctx)
		if err != nil {
			return err
		}
		report, err := Sweep(sweep, s.Config)
		yielded = sweep.Err() != nil && ctx.Err() == nil
		over()
		if s.OnReport != nil {
			s.OnReport(report, err)
		}
		if yielded {
			continue
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// settle waits until the program was idle for settleTime.
func (s *Sweeper) settle(ctx context.Context) error {
	for {
		s.mu.Lock()
		before, idle := s.turns, s.idle
		s.mu.Unlock()
		var settled <-chan time.Time
		if idle == nil {
			settled = time.After(settleTime)
		}
		select {
		case <-idle:
		case <-settled:
			s.mu.Lock()
			same := s.turns == before
			s.mu.Unlock()
			if same {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// begin waits until the program is idle. The returned context ends when the program
// is no longer idle; over must be called after the sweep.
func (s *Sweeper) begin(ctx context.Context) (_ context.Context, over func(), _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		wait := s.idle
		if wait == nil {
			wait = s.swept // by another Run
		}
		if wait == nil {
			break
		}
		s.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	sweep, yield := context.WithCancel(ctx)
	swept := make(chan struct{})
	s.swept, s.yield = swept, yield
	return sweep, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		yield()
		close(swept)
		s.swept = nil
	}, nil
}
