package tuiturn

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tuiturn/tuiturn/internal/drive"
)

// A Pool says how many agents a Runner keeps ready, so that a turn need not wait
// for one to start. An agent takes the prompt of one turn. A turn that finds
// none ready starts one itself, at once.
//
// An agent can take the prompts of all requests that differ only in Prompt,
// AllowCommands and the callbacks (with or without OnDelta is a difference).
// Which requests to be ready for is learned from those that come, or told by
// Runner.Warm. An agent that waits is a process of 100 to 300 MB (claude 2.1.104
// to 2.1.330) that does next to nothing.
type Pool struct {
	// Size is how many to keep ready for each kind of request. Zero means no
	// pool.
	Size int

	// Total is how many to keep ready for all kinds together, those that start
	// included, in equal shares, those first that were asked for last. Zero means
	// four times Size.
	Total int

	// MaxAge is how long an agent may wait before it is replaced: what was true
	// of its home, directory and login when it started may not be true for ever.
	// Zero means 10 minutes.
	MaxAge time.Duration

	// MaxIdle is how long nobody may have asked for a kind before its agents are
	// ended. Zero means 30 minutes.
	MaxIdle time.Duration
}

func (p Pool) total() int {
	if p.Total > 0 {
		return p.Total
	}
	return 4 * p.Size
}

func (p Pool) maxAge() time.Duration {
	if p.MaxAge > 0 {
		return p.MaxAge
	}
	return 10 * time.Minute
}

func (p Pool) maxIdle() time.Duration {
	if p.MaxIdle > 0 {
		return p.MaxIdle
	}
	return 30 * time.Minute
}

const (
	// bootWait bounds the start of an agent that nobody waits for.
	bootWait = 2 * time.Minute

	// slowBoot is how long the other kinds wait for the start of an agent. One
	// that hangs is not to hold them up.
	slowBoot = 5 * time.Second

	// firstBackoff is how long a kind whose agent did not start waits for the
	// next try, and then twice as long each time, up to lastBackoff.
	firstBackoff = time.Second
	lastBackoff  = 5 * time.Minute

	// calm is how long after an agent was taken no other is started in its place:
	// while the one that was taken gets its prompt, the processor is its own.
	calm = 500 * time.Millisecond

	// handOutWait is how long a turn waits for agents to show that they are well.
	handOutWait = time.Second
)

// A pool keeps agents ready. A nil one has none.
type pool struct {
	Pool
	boot    func(context.Context, setup) (*seat, error)
	current func(*place) bool // do turns still begin there?
	log     *slog.Logger

	ended chan struct{} // closed when nothing of it runs
	wake  chan struct{} // there may be something to do
	boots sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	shelves map[setupKey]*shelf
	taken   time.Time // when the first agent was taken since the last was started
	counts  PoolStats
}

// A shelf has the ready agents of one kind.
type shelf struct {
	setup    setup
	ready    []*spare // the oldest first
	asked    time.Time
	waiting  int       // calls of Warm
	booting  bool      // an agent is being started
	failures int       // in a row
	retry    time.Time // not before
	changed  chan struct{}
	err      error // of the last start, nil if it succeeded
}

// A spare is an agent that stands ready.
type spare struct {
	*seat
	since time.Time
	taken chan struct{}
}

// startPool starts one, which ends with ctx.
func startPool(ctx context.Context, cfg Pool, boot func(context.Context, setup) (*seat, error), current func(*place) bool, log *slog.Logger) *pool {
	p := &pool{
		Pool: cfg, boot: boot, current: current, log: log,
		ended: make(chan struct{}), wake: make(chan struct{}, 1),
		shelves: make(map[setupKey]*shelf),
	}
	go p.run(ctx)
	return p
}

// wait waits until a pool whose Runner is closed has ended everything.
func (p *pool) wait() {
	if p != nil {
		<-p.ended
	}
}

func (p *pool) stir() {
	if p == nil {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// shelf is that of a setup, which somebody asks for. p.mu is held.
func (p *pool) shelf(s setup) *shelf {
	key := s.key()
	sh := p.shelves[key]
	if sh == nil {
		sh = &shelf{setup: s, changed: make(chan struct{})}
		p.shelves[key] = sh
	}
	sh.asked = time.Now()
	return sh
}

// take returns an agent that takes a prompt, or nil if there is none.
func (p *pool) take(ctx context.Context, s setup) *seat {
	if p == nil {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, handOutWait)
	defer cancel()
	for ctx.Err() == nil { // else none would seem well
		p.mu.Lock()
		sh := p.shelf(s)
		var got *spare
		if len(sh.ready) > 0 {
			got, sh.ready = sh.ready[0], sh.ready[1:]
			if p.taken.IsZero() {
				p.taken = time.Now()
			}
		} else {
			p.counts.Misses++
		}
		p.mu.Unlock()
		p.stir()
		if got == nil {
			return nil
		}
		close(got.taken)
		if err := p.well(wait, got); err != nil {
			p.log.Info("an agent that stood ready is not well", "session", got.Start.Session, "error", err)
			p.count(func(c *PoolStats) { c.Unwell++ })
			go p.end(got) // Close waits for it: it holds its place
			continue
		}
		p.count(func(c *PoolStats) { c.Hits++ })
		return got.seat
	}
	return nil
}

// well tells whether the agent takes a prompt now.
func (p *pool) well(ctx context.Context, s *spare) error {
	if time.Since(s.since) >= p.maxAge() {
		return errors.New("it has waited for too long")
	}
	if !p.current(s.place) {
		return errors.New("its directory is gone")
	}
	return s.Well(ctx)
}

func (p *pool) warm(ctx context.Context, s setup) error {
	p.mu.Lock()
	sh := p.shelf(s)
	sh.waiting++
	sh.retry = time.Time{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		sh.waiting--
		p.mu.Unlock()
		p.stir()
	}()
	for first := true; ; first = false {
		p.mu.Lock()
		sh.asked = time.Now()
		changed, ready, closed, err := sh.changed, len(sh.ready) > 0, p.closed, sh.err
		p.mu.Unlock()
		switch {
		case ready:
			return nil
		case closed:
			return ErrClosed
		case err != nil && !first:
			return err
		}
		p.stir()
		select {
		case <-changed:
		case <-ctx.Done():
			return drive.Why(ctx)
		}
	}
}

func (p *pool) count(f func(*PoolStats)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.counts)
}

// run keeps the shelves filled, as long as all goes well one agent after the
// other, until ctx ends.
func (p *pool) run(ctx context.Context) {
	defer close(p.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		p.discard()
		sh, next := p.wanting()
		if sh != nil {
			filled := make(chan struct{})
			p.boots.Go(func() {
				defer close(filled)
				p.fill(ctx, sh)
			})
			select {
			case <-filled:
			case <-time.After(slowBoot):
			}
			continue
		}
		timer.Reset(next)
		select {
		case <-p.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	p.boots.Wait()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.discard()
}

// fill starts an agent for a shelf.
func (p *pool) fill(ctx context.Context, sh *shelf) {
	seat, err := p.boot(ctx, sh.setup)
	var backoff time.Duration
	defer func() {
		if err != nil && ctx.Err() == nil { // unlocked: a handler may want the Stats
			p.log.Warn("an agent to stand ready did not start", "error", err, "again_in", backoff)
		}
	}()
	defer p.stir()
	p.mu.Lock()
	defer p.mu.Unlock()
	sh.booting = false
	if p.counts.Boots++; err != nil {
		p.counts.BootFailures++
		backoff = min(firstBackoff<<min(sh.failures, 16), lastBackoff)
		sh.failures++
		sh.retry = time.Now().Add(backoff)
	} else {
		sh.failures, sh.retry = 0, time.Time{}
		s := &spare{seat: seat, since: time.Now(), taken: make(chan struct{})}
		sh.ready = append(sh.ready, s)
		go func() {
			select {
			case <-s.Done():
				p.stir()
			case <-s.taken:
			}
		}()
	}
	sh.err = err
	close(sh.changed)
	sh.changed = make(chan struct{})
}

// idle tells whether nobody has asked for a kind for long. p.mu is held.
func (p *pool) idle(sh *shelf, now time.Time) bool {
	return sh.waiting == 0 && now.Sub(sh.asked) >= p.maxIdle()
}

// shares says how many agents each kind is to have: the idle ones none, and of
// the others those first that somebody waits for, and then those that were asked
// for last. p.mu is held.
func (p *pool) shares(now time.Time) map[*shelf]int {
	shares := make(map[*shelf]int)
	if p.closed {
		return shares
	}
	var active []*shelf
	for _, sh := range p.shelves {
		if !p.idle(sh, now) {
			active = append(active, sh)
		}
	}
	slices.SortFunc(active, func(a, b *shelf) int {
		return cmp.Or(cmp.Compare(min(b.waiting, 1), min(a.waiting, 1)), b.asked.Compare(a.asked))
	})
	left := p.total()
	for range p.Size {
		for _, sh := range active {
			if left > 0 {
				shares[sh]++
				left--
			}
		}
	}
	return shares
}

// discard ends the agents that are too many, too old or no more.
func (p *pool) discard() {
	p.mu.Lock()
	now := time.Now()
	shares := p.shares(now)
	var out []*spare
	for key, sh := range p.shelves {
		sh.ready = slices.DeleteFunc(sh.ready, func(s *spare) bool {
			if p.current(s.place) && now.Sub(s.since) < p.maxAge() && !s.gone() {
				return false
			}
			out = append(out, s)
			return true
		})
		// One that is waited for stays until it has been seen, or it would have been
		// started for nothing.
		if extra := len(sh.ready) - shares[sh]; extra > 0 && (sh.waiting == 0 || p.closed) {
			out = append(out, sh.ready[:extra]...)
			sh.ready = slices.Delete(sh.ready, 0, extra)
		}
		if p.closed || p.idle(sh, now) && !sh.booting {
			close(sh.changed)
			sh.changed = make(chan struct{})
			delete(p.shelves, key)
		}
	}
	p.counts.Discarded += int64(len(out))
	p.mu.Unlock()
	var ending sync.WaitGroup
	for _, s := range out {
		close(s.taken)
		ending.Go(func() { p.end(s) })
	}
	ending.Wait()
}

func (s *spare) gone() bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

func (p *pool) end(s *spare) {
	if err := s.close(); err != nil {
		p.log.Warn("ending an agent that stood ready", "session", s.Start.Session, "error", err)
	}
}

// wanting is the shelf to fill next, the one with the smallest part of its
// share; or how long nothing will have to be done unless somebody asks.
func (p *pool) wanting() (_ *shelf, next time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	next = time.Hour
	until := func(t time.Time) { next = min(next, max(t.Sub(now), time.Millisecond)) }
	var want *shelf
	agents := 0
	shares := p.shares(now)
	for _, sh := range p.shelves { // those with no share, too: their time may be up since
		if sh.waiting == 0 {
			until(sh.asked.Add(p.maxIdle()))
		}
		if agents += len(sh.ready); len(sh.ready) > 0 {
			until(sh.ready[0].since.Add(p.maxAge()))
		}
		if sh.booting {
			agents++
		}
		if sh.booting || len(sh.ready) >= shares[sh] {
			continue
		}
		if now.Before(sh.retry) {
			until(sh.retry)
			continue
		}
		if want == nil || len(sh.ready) < len(want.ready) || len(sh.ready) == len(want.ready) && sh.asked.After(want.asked) {
			want = sh
		}
	}
	// A kind that has lost its share may still have a start under way. On a machine
	// on which each takes long there would be more and more of them.
	if agents >= p.total() {
		want = nil
	}
	if want != nil && now.Before(p.taken.Add(calm)) {
		until(p.taken.Add(calm))
		return nil, next
	}
	p.taken = time.Time{}
	if want != nil {
		want.booting = true
	}
	return want, next
}

// stats returns the numbers as they are now.
func (p *pool) stats() PoolStats {
	if p == nil {
		return PoolStats{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counts
	for _, sh := range p.shelves {
		c.Ready += len(sh.ready)
	}
	return c
}
