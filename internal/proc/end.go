package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"
)

// killWait bounds how long End waits for processes that were sent SIGKILL: one
// in an uninterruptible system call does not go before that call returns.
const killWait = 2 * time.Second

// A Target is a process and everything that it started.
type Target struct {
	// Pid is the process, the leader of its session, and Start its StartTime;
	// zero Start means whichever process has the pid now.
	Pid   int
	Start uint64

	// Marker is an environment entry, "KEY=VALUE", that the process was
	// started with and nothing else on the host has. Children inherit it, also
	// those that detach (setsid, double fork); it is what finds them after
	// their parent is gone. Empty means none.
	Marker string
}

// End ends t and returns when all of it is gone or has become a zombie that
// only its parent can reap. Everything is sent SIGHUP (and SIGCONT, so that a
// stopped process can act on it), SIGTERM half-way to ctx's deadline, and
// SIGKILL when ctx ends; a ctx without an end waits for as long as it takes.
// The error names each process that survived, by pid and reason.
//
// A descendant is missed only if it has detached and its parent ended before
// End saw the two together, and it carries no marker: there was none, or its
// environment was emptied.
func End(ctx context.Context, t Target) error {
	if t.Pid <= 1 || t.Pid == os.Getpid() {
		return fmt.Errorf("ending process %d: it is nobody's to end: give the pid of a program that was started", t.Pid)
	}
	if t.Start == 0 {
		t.Start, _ = StartTime(t.Pid)
	}
	h := hunt{target: t, known: map[Identity]*quarry{}}
	var term <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		timer := time.NewTimer(time.Until(deadline) / 2)
		defer timer.Stop()
		term = timer.C
	}

	sig, cancelled := unix.SIGHUP, ctx.Done()
	var giveUp time.Time
	for empty := 0; ; {
		if cancelled != nil && ctx.Err() != nil {
			sig, cancelled, term = unix.SIGKILL, nil, nil
			giveUp = time.Now().Add(killWait)
		}
		began := time.Now()
		alive, err := h.look()
		if err != nil {
			return fmt.Errorf("ending process %d: reading the process table: %w", t.Pid, err)
		}
		// A process that forked while the table was read may have a child that
		// was not in it: believe only the second empty look.
		if len(alive) > 0 {
			empty = 0
		} else if empty++; empty == 2 {
			return nil
		} else {
			continue
		}
		if !giveUp.IsZero() && time.Now().After(giveUp) {
			return h.survivors(alive)
		}
		h.signal(alive, sig)

		// A look reads a file or two for each process of the host, 10 µs each.
		// However many there are, looking takes a tenth of a core.
		select {
		case <-time.After(max(5*time.Millisecond, 9*time.Since(began))):
		case <-term:
			sig, term = unix.SIGTERM, nil
		case <-cancelled:
		}
	}
}

// A hunt is the state of one End.
type hunt struct {
	target Target
	known  map[Identity]*quarry // everything found so far
}

// A quarry is what was done to one process.
type quarry struct {
	sent unix.Signal
	err  error
}

// look returns what is alive of the target now.
func (h *hunt) look() ([]process, error) {
	all, err := table()
	if err != nil {
		return nil, err
	}
	if all == nil {
		all = h.leaderOnly()
	}
	root := Identity{h.target.Pid, h.target.Start}
	byPid := make(map[int]process, len(all))
	for _, p := range all {
		byPid[p.Pid] = p
	}
	// While the leader exists, if only as a zombie, its pid cannot have become
	// another session's id; after that, the id alone proves nothing.
	leader, ok := byPid[root.Pid]
	leads := ok && leader.Identity == root

	// mine is settled per process by walking up to a process that is settled.
	mine := make(map[int]bool, len(all))
	var decide func(p process) bool
	decide = func(p process) bool {
		if yes, ok := mine[p.Pid]; ok {
			return yes
		}
		mine[p.Pid] = false // parents cannot form a ring; a torn read might
		if p.Pid <= 1 || p.Pid == os.Getpid() || p.Start < root.Start {
			return false // whatever the rest says: never init, never us, no elders
		}
		yes := h.known[p.Identity] != nil || leads && (p.Pid == root.Pid || p.sid == root.Pid)
		if parent, ok := byPid[p.ppid]; !yes && ok && parent.Start <= p.Start {
			yes = decide(parent)
		}
		if !yes && h.target.Marker != "" {
			yes = marked(p.Pid, h.target.Marker)
		}
		mine[p.Pid] = yes
		return yes
	}
	var alive []process
	for _, p := range all {
		if !decide(p) {
			continue
		}
		if h.known[p.Identity] == nil {
			h.known[p.Identity] = &quarry{}
		}
		if !p.zombie {
			alive = append(alive, p)
		}
	}
	return alive, nil
}

// leaderOnly is the table where the system's is not read.
func (h *hunt) leaderOnly() []process {
	if p, ok := lookup(h.target.Pid); ok {
		return []process{p}
	}
	return []process{}
}

// signal sends sig, once each, to all of alive.
func (h *hunt) signal(alive []process, sig unix.Signal) {
	for _, p := range alive {
		q := h.known[p.Identity]
		if q.sent == sig {
			continue
		}
		q.sent, q.err = sig, signal(p.Identity, sig)
		if errors.Is(q.err, unix.ESRCH) {
			q.err = nil
		}
		if sig != unix.SIGKILL {
			signal(p.Identity, unix.SIGCONT)
		}
	}
}

// survivors is the report of an End that failed.
func (h *hunt) survivors(alive []process) error {
	var all *multierror.Error
	for _, p := range alive {
		reason := h.known[p.Identity].err
		if reason == nil {
			reason = errors.New("SIGKILL sent, still there; it may wait for a device or a file system")
		}
		all = multierror.Append(all, fmt.Errorf("process %d survived: %w", p.Pid, reason))
	}
	return all.ErrorOrNil()
}
