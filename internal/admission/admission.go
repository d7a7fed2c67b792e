// Package admission limits how many turns run at once.
package admission

import (
	"container/list"
	"context"
	"errors"
	"sync"
)

// ErrFull is returned for a turn that finds the queue full.
var ErrFull = errors.New("too many turns are waiting: try again later, or raise Runner.Limits")

// A Queue limits how many turns run, first come, first served. The zero Queue sets no
// limit. Its methods are safe for concurrent use.
type Queue struct {
	mu      sync.Mutex
	turns   int // how many may run at once; zero or less means no limit
	waiting int // how many may wait
	running int
	queue   list.List // of chan struct{}, closed when its turn is let in
}

// Enter waits until the turn may run. The caller calls leave once. queued, if not nil,
// is called before Enter waits. The error is ErrFull, or the cause of ctx's end.
func (q *Queue) Enter(ctx context.Context, queued func()) (leave func(), err error) {
	q.mu.Lock()
	if q.queue.Len() == 0 && q.free() {
		q.running++
		q.mu.Unlock()
		return q.leave, nil
	}
	if q.queue.Len() >= q.waiting {
		q.mu.Unlock()
		return nil, ErrFull
	}
	in := make(chan struct{})
	place := q.queue.PushBack(in)
	q.mu.Unlock()

	let := false
	defer func() { // deferred, because queued may panic and the host may recover
		if let {
			return
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		select {
		case <-in: // let in at the same moment: pass the place on
			q.running--
			q.admit()
		default:
			q.queue.Remove(place)
		}
	}()
	if queued != nil {
		queued()
	}
	select {
	case <-in:
		let = true
		return q.leave, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (q *Queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	q.admit()
}

func (q *Queue) free() bool { return q.turns <= 0 || q.running < q.turns }

// admit lets turns in while there is room. q.mu is held.
func (q *Queue) admit() {
	for q.queue.Len() > 0 && q.free() {
		q.running++
		close(q.queue.Remove(q.queue.Front()).(chan struct{}))
	}
}

// SetLimits changes how many turns may run at once and how many may wait. It ends
// neither running nor waiting turns.
func (q *Queue) SetLimits(turns, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.turns, q.waiting = turns, waiting
	q.admit()
}

// Counts returns how many turns run and how many wait.
func (q *Queue) Counts() (running, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running, q.queue.Len()
}
