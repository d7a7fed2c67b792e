//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package proc

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Cross-compiled, never run: from the manuals and kernels of the five systems.

// kqueue is the one queue of this process, with a goroutine, and so a thread,
// that waits on it from the first watch on. A queue for each watch would take a
// thread each: Go's poller waits for a descriptor to be readable or writable,
// and no kqueue can be asked whether it is writable.
var kqueue = sync.OnceValues(func() (int, error) {
	kq, err := unix.Kqueue()
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(kq) // a fork does not inherit it anyway
	go func() {
		for events := make([]unix.Kevent_t, 64); ; {
			n, err := unix.Kevent(kq, nil, events, nil)
			if err != nil && err != unix.EINTR {
				time.Sleep(pollInterval) // nothing else is documented: do not spin
			}
			for _, event := range events[:max(0, n)] {
				watched.end(int(event.Ident))
			}
		}
	}()
	return kq, nil
})

// watched are the Watchers that wait for the queue, by pid: it has one entry
// for each process, however many watch it.
var watched = watches{byPid: map[int]map[*Watcher]bool{}}

type watches struct {
	mu    sync.Mutex // also held while the queue is changed
	byPid map[int]map[*Watcher]bool
}

// watch waits for NOTE_EXIT, which comes for processes that are not our
// children, too. Whom the system does not let us watch is polled.
func watch(pid int) (*Watcher, error) {
	kq, err := kqueue()
	if err != nil {
		return nil, fmt.Errorf("watching process %d: kqueue: %w", pid, err)
	}
	w := &Watcher{done: make(chan struct{})}
	w.stop = func() { watched.remove(kq, pid, w) }
	switch err := watched.add(kq, pid, w); err {
	case nil:
	case unix.ESRCH: // has ended, or ends just now
		close(w.done)
	default:
		return poll(pid), nil
	}
	return w, nil
}

func (ws *watches) add(kq, pid int, w *Watcher) error {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if err := change(kq, pid, unix.EV_ADD); err != nil {
		return err
	}
	if ws.byPid[pid] == nil {
		ws.byPid[pid] = map[*Watcher]bool{}
	}
	ws.byPid[pid][w] = true
	return nil
}

func (ws *watches) remove(kq, pid int, w *Watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if !ws.byPid[pid][w] {
		return // stopped before, or told
	}
	delete(ws.byPid[pid], w)
	if len(ws.byPid[pid]) == 0 {
		delete(ws.byPid, pid)
		change(kq, pid, unix.EV_DELETE) // fails if the event is on its way
	}
}

// end tells all that watch pid. The queue forgets a process with its event.
func (ws *watches) end(pid int) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.byPid[pid] {
		close(w.done)
	}
	delete(ws.byPid, pid)
}

func change(kq, pid, flags int) error {
	var event [1]unix.Kevent_t
	unix.SetKevent(&event[0], pid, unix.EVFILT_PROC, flags)
	event[0].Fflags = unix.NOTE_EXIT
	_, err := unix.Kevent(kq, event[:], nil, nil)
	return err
}
