package proc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"
)

// killWait limits how long End waits after SIGKILL. A process in an uninterruptible
// system call ends only when the call returns. On a machine with twelve programs for
// each core, hundreds of processes took more than 2 s to end.
const killWait = 5 * time.Second

// A Target is a process and everything that it started.
type Target struct {
	// Identity is the process, the leader of its session. Pid 0 means that
	// Match alone tells what belongs to the target.
	//
	// Processes that began before Start are not part of the target, and End hardly
	// examines them. So set Start also when Pid is 0.
	Identity

	// Match reports whether an environment entry, "KEY=VALUE", marks the target: the
	// process was started with the entry, and nothing else on the host has it.
	// Children inherit the entry, so that End finds those that detach (setsid, double
	// fork) after their parent is gone. Nil means that there is no such entry.
	//
	// macOS hides the environment of Apple's own programs, /bin/sh for one, and
	// systems that are neither Linux nor macOS nor FreeBSD hide all of them.
	Match func(entry string) bool

	// Spare are processes that are not part of the target, whatever they carry and
	// whoever their parent is. Processes that have inherited the entry from them are
	// spared too.
	Spare map[Identity]bool
}

// End ends t. It returns when every process of t is gone or has become a zombie that
// only its parent can reap. The processes get SIGHUP (and SIGCONT, so that a stopped
// process can react), SIGTERM half-way to ctx's deadline, and SIGKILL when ctx ends.
// With a ctx that never ends, End waits for as long as it takes. The error names each
// surviving process with a [*Survivor].
//
// End never signals init, this process or its ancestors, whatever they carry, nor a
// process that has Pid but another Start.
//
// End misses a descendant only if three things come together: the descendant has
// detached, its parent ended before End saw the two together, and the descendant
// carries no marker, because there was none or because its environment was emptied.
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

	// Mostly the leader is the last to end, or all that there is: that it ends is worth a
	// look at once.
	var led <-chan struct{}
	if t.Pid > 0 {
		if w, err := Watch(t.Pid); err == nil {
			defer w.Stop()
			led = w.Done()
		}
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
		// The pause limits looking to a tenth of a core. The limit is lifted after
		// SIGKILL, when a process that is found late must still be seen to end.
		pause := max(5*time.Millisecond, 9*time.Since(began))
		if sig == unix.SIGKILL {
			pause = min(pause, 50*time.Millisecond)
		}
		select {
		case <-time.After(pause):
		case <-led:
			led = nil
		case <-term:
			sig, term = unix.SIGTERM, nil
		case <-cancelled:
		}
	}
}

// survivors returns the error of an End that failed.
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

// A Survivor is the error for a process that did not end. Err is the reason.
type Survivor struct {
	Process
	Err error
}

func (s *Survivor) Error() string {
	return fmt.Sprintf("process %d (%q) survived: %v", s.Pid, s.Name, s.Err)
}

func (s *Survivor) Unwrap() error { return s.Err }
