package proc

import (
	"fmt"
	"sync"
	"time"
)

// pollInterval is how often a process is checked where the system has no event for its
// end. Done is late by at most this time there.
const pollInterval = 20 * time.Millisecond

// A Watcher reports the end of one process.
type Watcher struct {
	done chan struct{}
	stop func() // may be called more than once
}

// Done is closed when the process has ended, reaped or not.
func (w *Watcher) Done() <-chan struct{} { return w.done }

// Stop ends the watch and releases its resources. Done then stays open unless the
// process had ended. Stop may be called more than once.
func (w *Watcher) Stop() { w.stop() }

// Watch watches for the end of process pid, which need not be a child of this process.
// A process that has ended already is reported at once. The Watcher must be stopped
// unless the process ends.
func Watch(pid int) (*Watcher, error) {
	if pid <= 0 {
		return nil, fmt.Errorf("watching process %d: no process has such a number", pid)
	}
	return watch(pid)
}

// poll watches by polling, for systems and kernels without an event.
func poll(pid int) *Watcher {
	stop := make(chan struct{})
	w := &Watcher{
		done: make(chan struct{}),
		stop: sync.OnceFunc(func() { close(stop) }),
	}
	start, alive := StartTime(pid)
	go func() {
		tick := time.NewTicker(pollInterval)
		defer tick.Stop()
		for alive {
			select {
			case <-tick.C:
				now, still := StartTime(pid)
				alive = still && now == start
			case <-stop:
				return
			}
		}
		close(w.done)
	}()
	return w
}
