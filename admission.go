package tuiturn

import (
	"container/list"
	"context"
	"errors"
	"sync"
)

// Limits say how many turns a Runner runs at once and how many may wait.
type Limits struct {
	// Turns is how many turns run at once. Zero or less means no limit.
	Turns int

	// Waiting is how many further turns may wait for one to end, in the order in
	// which they came; more fail with ErrQueueFull. Zero means ten times Turns,
	// less than zero that none waits.
	Waiting int
}

func (l Limits) waiting() int {
	switch {
	case l.Waiting < 0:
		return 0
	case l.Waiting == 0:
		return 10 * l.Turns
	}
	return l.Waiting
}

// ErrQueueFull: as many turns wait as may.
var ErrQueueFull = errors.New("too many turns are waiting: try again later, or raise Runner.Limits")

// admission lets turns in, first come, first served.
type admission struct {
	mu      sync.Mutex
	limits  Limits
	running int
	queue   list.List // of chan struct{}, closed when its turn is let in
}

// enter waits until a turn is let in. The caller calls leave once. queued, if not
// nil, is called before it waits.
func (a *admission) enter(ctx context.Context, queued func()) (leave func(), err error) {
	a.mu.Lock()
	if a.queue.Len() == 0 && a.free() {
		a.running++
		a.mu.Unlock()
		return a.leave, nil
	}
	if a.queue.Len() >= a.limits.waiting() {
		a.mu.Unlock()
		return nil, ErrQueueFull
	}
	in := make(chan struct{})
	place := a.queue.PushBack(in)
	a.mu.Unlock()

	let := false
	defer func() { // deferred: queued may panic, and the host recover
		if let {
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		select {
		case <-in: // at the same moment: somebody else's turn now
			a.running--
			a.admit()
		default:
			a.queue.Remove(place)
		}
	}()
	if queued != nil {
		queued()
	}
	select {
	case <-in:
		let = true
		return a.leave, nil
	case <-ctx.Done():
		return nil, why(ctx)
	}
}

func (a *admission) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	a.admit()
}

func (a *admission) free() bool { return a.limits.Turns <= 0 || a.running < a.limits.Turns }

// admit lets in whom there is room for. a.mu is held.
func (a *admission) admit() {
	for a.queue.Len() > 0 && a.free() {
		a.running++
		close(a.queue.Remove(a.queue.Front()).(chan struct{}))
	}
}

func (a *admission) setLimits(l Limits) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limits = l
	a.admit()
}

func (a *admission) counts() (running, waiting int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.running, a.queue.Len()
}

// SetLimits changes Runner.Limits while turns run. Those that run or wait are
// left alone.
func (r *Runner) SetLimits(l Limits) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Limits = l
	r.admission.setLimits(l)
}
