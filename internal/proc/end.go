package proc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"
)

// killWait bounds how long End waits for processes that were sent SIGKILL: one
// in an uninterruptible system call does not go before that call returns. On a
// machine with twelve programs for each core, hundreds took more than 2 s to go.
const killWait = 5 * time.Second

// A Target is a process and everything that it started.
type Target struct {
	// Identity is the process, the leader of its session. Pid 0 means that
	// Match alone tells what belongs to the target.
	//
	// What began before Start is not the target's and is hardly looked at, so
	// Start is worth giving without a Pid, too.
	Identity

	// Match reports whether an environment entry, "KEY=VALUE", is one that the
	// process was started with and nothing else on the host has. Children
	// inherit it, also those that detach (setsid, double fork); it is what
	// finds them after their parent is gone. Nil means none.
	//
	// macOS hides the environment of Apple's own programs, /bin/sh for one, and
	// systems that are neither Linux nor macOS nor FreeBSD hide all of them.
	Match func(entry string) bool

	// Spare are processes that are not the target's, whatever they carry and
	// whoever their parent is, and what has inherited the entry from them is
	// not either.
	Spare map[Identity]bool
}

// End ends t and returns when all of it is gone or has become a zombie that
// only its parent can reap. Everything is sent SIGHUP (and SIGCONT, so that a
// stopped process can act on it), SIGTERM half-way to ctx's deadline, and
// SIGKILL when ctx ends; a ctx without an end waits for as long as it takes.
// The error names each process that survived with a [*Survivor].
//
// Nothing is sent to init, to this process or to its ancestors, whatever they
// carry, nor to a process that has Pid with another Start.
//
// A descendant is missed only if it has detached and its parent ended before
// End saw the two together, and it carries no marker: there was none, or its
// environment was emptied.
func End(ctx context.Context, t Target) error {
	what := fmt.Sprintf("process %d", t.Pid)
	if t.Pid == 0 && t.Match != nil {
		what = "the marked processes"
	}
	h, err := newHunt(t)
	if err != nil {
		return fmt.Errorf("ending %s: %w", what, err)
	}
	var term <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		timer := time.NewTimer(time.Until(deadline) / 2)
		defer timer.Stop()
		term = timer.C
	}

	sig, cancelled := unix.SIGHUP, ctx.Done()
	var giveUp time.Time
	for quiet := 0; ; {
		if cancelled != nil && ctx.Err() != nil {
			sig, cancelled, term = unix.SIGKILL, nil, nil
			giveUp = time.Now().Add(killWait)
		}
		began := time.Now()
		alive, sure, err := h.look(sig)
		if err != nil {
			return fmt.Errorf("ending %s: reading the process table: %w", what, err)
		}
		// Two looks that found nothing and are sure of it settle the matter, or
		// twenty in a row on a host where processes come and go all the time.
		if len(alive) == 0 {
			if quiet++; sure {
				quiet += 9
			}
			if quiet >= 20 {
				return nil
			}
			continue
		}
		quiet = 0
		if !giveUp.IsZero() && time.Now().After(giveUp) {
			return h.survivors(alive)
		}

		// A look reads a file or two for each process of the host, 10 to 20 µs each.
		// However many there are, looking takes a tenth of a core; not for the
		// last seconds, in which whoever is found late must be seen to end.
		pause := max(5*time.Millisecond, 9*time.Since(began))
		if sig == unix.SIGKILL {
			pause = min(pause, 50*time.Millisecond)
		}
		select {
		case <-time.After(pause):
		case <-term:
			sig, term = unix.SIGTERM, nil
		case <-cancelled:
		}
	}
}

// survivors is the report of an End that failed.
func (h *hunt) survivors(alive []Process) error {
	var all *multierror.Error
	for _, p := range alive {
		reason := h.found[p.Identity].err
		if reason == nil {
			reason = errors.New("SIGKILL sent, still there; it may wait for a device or a file system")
		}
		all = multierror.Append(all, &Survivor{p, reason})
	}
	return all.ErrorOrNil()
}

// A Survivor is the error for a process that did not end, and the reason.
type Survivor struct {
	Process
	Err error
}

func (s *Survivor) Error() string {
	return fmt.Sprintf("process %d (%q) survived: %v", s.Pid, s.Name, s.Err)
}

func (s *Survivor) Unwrap() error { return s.Err }
