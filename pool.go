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

// A Pool keeps agents ready, so that a turn need not wait for an agent to start. A ready
// agent serves one turn or conversation. A turn that finds no ready agent starts one
// itself, at once. The zero value keeps no agents ready.
//
// Requests are of one kind if they differ only in Prompt, AllowCommands and the
// callbacks, and agree in whether OnDelta is set. Any ready agent of a kind serves any
// request of that kind. The Runner learns the kinds from the requests that it gets and
// from Runner.Warm. A ready agent is a process of 100 to 300 MB that is nearly idle
// (claude 2.1.104 to 2.1.330).
type Pool struct {
	// Size is the number of agents to keep ready for each kind of request. Zero means
	// no pool.
	Size int

	// Total limits the idle and starting agents of all kinds. Each kind gets one in
	// turn, the most recently used first, until Total is reached. Zero means four times
	// Size.
	Total int

	// MaxAge limits how long an agent waits before a new one replaces it: its home,
	// directory and login may have changed since it started. Zero means 10 minutes.
	MaxAge time.Duration

	// MaxIdle is how long a kind may go unused before its agents are ended. Zero means
	// 30 minutes.
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
	// bootWait is the timeout for the start of an agent that no caller waits for.
	bootWait = 2 * time.Minute

	// slowBoot is how long a starting agent keeps other kinds waiting. An agent whose
	// start hangs must not delay the others longer.
	slowBoot = 5 * time.Second

	// firstBackoff is the pause after a failed start before the next try for the same
	// kind. The pause doubles with each failure, up to lastBackoff.
	firstBackoff = time.Second
	lastBackoff  = 5 * time.Minute

	// maxHold limits how long no agent is started because a taken one gets its prompt, or
	// ends its turn, and needs the processor.
	maxHold = 500 * time.Millisecond

	// usableWait limits how long a turn checks whether ready agents are usable. A check
	// takes 3 ms, and took over a second at a load of 20 on two cores.
	usableWait = 3 * time.Second
)

// A pool keeps agents ready. A nil pool has none.
type pool struct {
	Pool
	boot    func(context.Context, setup) (*seat, error)
	current func(*place) bool // do turns still begin in the place?
	log     *slog.Logger

	ended chan struct{} // closed when the pool and its agents have ended
	wake  chan struct{} // gets a value when there may be work
	boots sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	shelves map[setupKey]*shelf
	held    map[*seat]time.Time // see hold
	counts  PoolStats
}

// A shelf holds the ready agents of one kind.
type shelf struct {
	setup    setup
	ready    []*spare      // ready agents, the oldest first
	asked    time.Time     // when an agent was last asked for
	waiting  int           // running calls of Warm
	booting  bool          // an agent is being started
	failures int           // failed starts in a row
	retry    time.Time     // no start before this time
	changed  chan struct{} // closed, and replaced, when a start has ended or the shelf goes
	err      error         // error of the last start
}

// A spare is a ready agent.
type spare struct {
	*seat
	since time.Time
	taken chan struct{} // closed when the agent has left the shelf
}

// startPool starts a pool. The pool ends with ctx.
func startPool(ctx context.Context, cfg Pool, boot func(context.Context, setup) (*seat, error), current func(*place) bool, log *slog.Logger) *pool {
	p := &pool{
		Pool: cfg, boot: boot, current: current, log: log,
		ended: make(chan struct{}), wake: make(chan struct{}, 1),
		shelves: make(map[setupKey]*shelf), held: make(map[*seat]time.Time),
	}
	go p.run(ctx)
	return p
}

// wait waits until the pool, whose Runner is closed, has ended all agents.
func (p *pool) wait() {
	if p != nil {
		<-p.ended
	}
}

func (p *pool) notify() {
	if p == nil {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// shelf returns the shelf for a setup that somebody asks for. p.mu is held.
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

// take returns an agent that takes a prompt, or nil if no agent is ready.
func (p *pool) take(ctx context.Context, s setup) *seat {
	if p == nil {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, usableWait)
	defer cancel()
	for ctx.Err() == nil {
		p.mu.Lock()
		sh := p.shelf(s)
		var got *spare
		// After wait has ended every agent would seem unusable.
		if len(sh.ready) > 0 && wait.Err() == nil {
			got, sh.ready = sh.ready[0], sh.ready[1:]
			p.held[got.seat] = time.Now()
		} else {
			p.counts.Misses++
		}
		p.mu.Unlock()
		p.notify()
		if got == nil {
			return nil
		}
		close(got.taken)
		if err := p.usable(wait, got); err != nil {
			p.log.Info("a ready agent is not usable and is ended", got.LogID(), "error", err)
			p.release(got.seat)
			p.count(func(c *PoolStats) { c.Unwell++ })
			go p.end(got) // Close waits for it, because the agent holds its place
			continue
		}
		p.count(func(c *PoolStats) { c.Hits++ })
		return got.seat
	}
	return nil
}

// hold keeps the pool from starting agents, for maxHold or until release: an agent that
// was taken, and its turn, would be slower. While the turn waits for the service, a start
// takes nothing from it.
func (p *pool) hold(s *seat) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[s] = time.Now()
}

func (p *pool) release(s *seat) {
	p.mu.Lock()
	delete(p.held, s)
	p.mu.Unlock()
	p.notify()
}

// usable returns nil if the agent takes a prompt now, and the reason if not.
func (p *pool) usable(ctx context.Context, s *spare) error {
	if time.Since(s.since) >= p.maxAge() {
		return errors.New("it has waited longer than Runner.Pool.MaxAge")
	}
	if !p.current(s.place) {
		return errors.New("the Runner's private directory is gone")
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
		p.notify()
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
		p.notify()
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

// run fills the shelves until ctx ends. It starts one agent after the other, unless a
// start takes longer than slowBoot.
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
		if err != nil && ctx.Err() == nil { // without the lock: a log handler may call Stats
			p.log.Warn("an agent for the pool did not start", "error", err, "again_in", backoff)
		}
	}()
	defer p.notify()
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
				p.notify()
			case <-s.taken:
			}
		}()
	}
	sh.err = err
	close(sh.changed)
	sh.changed = make(chan struct{})
}

// idle tells whether a kind has been unused for MaxIdle. p.mu is held.
func (p *pool) idle(sh *shelf, now time.Time) bool {
	return sh.waiting == 0 && now.Sub(sh.asked) >= p.maxIdle()
}

// shares returns how many agents each kind gets. Idle kinds get none. Kinds that a
// caller of Warm waits for come first, then the most recently used ones. p.mu is held.
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

// discard ends the agents that are too many, too old or dead.
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
		// If Warm waits for an agent, the agent stays until Warm has seen it. Otherwise
		// the start would have been for nothing.
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
		p.log.Warn("cannot end an agent of the pool", s.LogID(), "error", err)
	}
}

// wanting returns the shelf to fill next: the shelf with the fewest ready agents, and
// among equals the most recently used one. If no shelf needs an agent, next is the time
// until there may be work.
func (p *pool) wanting() (_ *shelf, next time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	next = time.Hour
	until := func(t time.Time) { next = min(next, max(t.Sub(now), time.Millisecond)) }
	var want *shelf
	agents := 0
	shares := p.shares(now)
	for _, sh := range p.shelves { // those without a share too: they may expire meanwhile
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
	// A kind that has lost its share may still have an agent starting. On a slow
	// machine such starts would pile up.
	if agents >= p.total() {
		want = nil
	}
	for s, since := range p.held {
		if end := since.Add(maxHold); now.Before(end) {
			until(end)
			want = nil
		} else {
			delete(p.held, s)
		}
	}
	if want != nil {
		want.booting = true
	}
	return want, next
}

// stats returns the current numbers.
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
