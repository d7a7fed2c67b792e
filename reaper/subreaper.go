package reaper

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

var subreaping atomic.Bool

// Subreaper makes this process the parent of every process below it whose own
// parent has ended (Linux: PR_SET_CHILD_SUBREAPER), and reaps those when they
// end, until stop is called. It is for hosts whose process 1 does not do that,
// as in many containers, and for a host that is process 1 itself: without it
// each program that a tmux server or an agent leaves stays as a zombie. Elsewhere
// it is of no use: process 1 does the same.
//
// It asks for one process at a time, and only for one that it has proven to be
// adopted, so that the program's own os/exec and os.StartProcess calls never lose
// a child to it. Proof is that the process
//
//   - was seen as somebody else's child,
//   - is in a session that neither it nor this process has begun,
//   - carried the mark of a turn or of a tmux server of ours, or
//   - is a server that [KillServerIfOnlyOurs] was given,
//
// and that no handle of this process refers to it (Go holds one, a pidfd, for
// each child that it may wait for). The process table is read once a second, when
// a child has ended, and before this package ends something. What is not proven
// stays a zombie until the program ends: an orphan that has begun a session of its
// own and was over within that second, and what a command of the host's own, other
// than a turn, left behind in the host's session or at the head of its own.
//
// While it runs, a daemon below this process has this process as its parent
// instead of process 1. Only one can run at a time. The error wraps
// [errors.ErrUnsupported] on other systems and on Linux before 5.4.
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
