package reaper

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

var subreaping atomic.Bool

// Subreaper makes this process the parent of every orphaned process below it (Linux:
// PR_SET_CHILD_SUBREAPER) and reaps those processes when they end, until stop is
// called. Use it where process 1 does not reap, as in many containers, and in a host
// that is process 1 itself. Without it, each program that a tmux server or an agent
// leaves stays as a zombie there. Elsewhere it is not needed: process 1 reaps.
//
// It never takes a child from the program's own os/exec and os.StartProcess calls: it
// waits for one process at a time, and only for a process that was provably adopted.
// The proof is that this process holds no handle on it (Go holds one, a pidfd, for
// each child that it may wait for), and that it
//
//   - was seen as somebody else's child,
//   - is in a POSIX session that is not this process's and that it does not lead,
//   - carried the mark of a turn or of a tmux server of ours, or
//   - is a server that [KillServerIfOnlyOurs] was given.
//
// The process table is read once a second, when a child has ended, and before this
// package ends something.
//
// An orphan without proof stays a zombie until the program ends. Two kinds of orphan
// have none: one that began a session of its own and ended within that second, and
// one that a command of the host's own, other than a turn, left in the host's session
// or as the leader of its own.
//
// While Subreaper is active, a daemon below this process has this process as its
// parent instead of process 1. Only one Subreaper can be active at a time. The error
// wraps [errors.ErrUnsupported] on other systems and on Linux before 5.4.
func Subreaper() (stop func(), err error) {
	if !subreaping.CompareAndSwap(false, true) {
		return nil, errors.New("becoming a subreaper: this process is one already: stop the other first")
	}
	end, err := subreap()
	if err != nil {
		subreaping.Store(false)
		return nil, fmt.Errorf("becoming a subreaper: %w", err)
	}
	return sync.OnceFunc(func() {
		end()
		subreaping.Store(false)
	}), nil
}
