package proc

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// A hunt is the state of one End.
type hunt struct {
	target Target
	spared map[Identity]bool    // this process and its ancestors
	found  map[Identity]*quarry // whatever was part of the target at any time
	mute   map[Identity]bool    // showed no environment when it was last seen
	looked bool
}

// A quarry is what was done to one process.
type quarry struct {
	sent unix.Signal
	err  error
}

func newHunt(t Target) (*hunt, error) {
	h := &hunt{
		target: t,
		spared: map[Identity]bool{},
		found:  map[Identity]*quarry{},
		mute:   map[Identity]bool{},
	}
	for pid := os.Getpid(); pid > 1; {
		p, err := lookup(pid)
		if err == unix.ESRCH || h.spared[p.Identity] {
			break // it cannot be seen from here
		}
		if err != nil {
			return nil, err
		}
		h.spared[p.Identity] = true
		pid = p.Parent
	}
	if t.Pid < 0 || t.Pid == 1 || t.Pid == 0 && t.Match == nil || h.spared[t.Identity] {
		return nil, errors.New("it is nobody's to end: give the pid of a program that was started")
	}
	return h, nil
}

// look goes through the process table, sends sig, once each, to what is alive
// of the target, and returns that. It is sure unless there may be more: a
// process may have forked after the list was made and before it was seen to
// have ended, and the child is in no list; and one in the middle of an exec
// shows no marker.
func (h *hunt) look(sig unix.Signal) (alive []Process, sure bool, err error) {
	root := h.target.Identity
	// While the leader exists, if only as a zombie, its pid cannot have become
	// another session's id; after that, the id alone proves nothing.
	leads := root.check() == nil

	var all []Process
	byPid := map[int]Process{}
	mine := map[int]bool{}
	sure = true
	for p, err := range table() {
		if errors.Is(err, errors.ErrUnsupported) && root.Pid != 0 {
			p, err = lookup(root.Pid)
		}
		if err == unix.ESRCH {
			sure = false
			continue
		}
		if err != nil {
			return nil, false, err
		}
		// Whatever the rest says: never init, never us, no elders.
		if p.Pid <= 1 || p.Pid == os.Getpid() || h.spared[p.Identity] || h.target.Spare[p.Identity] || p.Start < root.Start {
			continue
		}
		member, told := h.tell(p, leads)
		sure = sure && told
		if member && h.inherits(p) {
			continue
		}
		all = append(all, p)
		byPid[p.Pid] = p
		if member {
			mine[p.Pid] = true
			// At once, for it may fork again in a moment. Not before the first
			// look is over: the children of a parent that has ended are no
			// longer known by it.
			if h.looked {
				h.strike(p, sig)
			}
		}
	}

	// What does not show it by itself belongs to the target if its parent does.
	var belongs func(p Process) bool
	belongs = func(p Process) bool {
		yes, settled := mine[p.Pid]
		if settled {
			return yes
		}
		mine[p.Pid] = false // parents cannot form a ring; a torn table might
		if parent, ok := byPid[p.Parent]; ok && parent.Start <= p.Start {
			mine[p.Pid] = belongs(parent)
		}
		return mine[p.Pid]
	}
	for _, p := range slices.Backward(all) { // parents first
		if belongs(p) {
			h.strike(p, sig)
			if !p.Zombie {
				alive = append(alive, p)
			}
		}
	}
	h.looked = true
	return alive, sure, nil
}

// tell reports whether p shows by itself that it belongs to the target. It is
// not sure of a process that it sees without an environment for the first time.
func (h *hunt) tell(p Process, leads bool) (member, sure bool) {
	member = h.found[p.Identity] != nil || leads && (p.Pid == h.target.Pid || p.session == h.target.Pid)
	mute := p.Zombie
	if !member && !p.Zombie && h.target.Match != nil {
		env, err := environ(p)
		if err == unix.ESRCH {
			return false, false
		}
		for range matching(env, h.target.Match) {
			member = true
		}
		mute = env == "" && err == nil
	}
	sure = !mute || h.mute[p.Identity]
	if mute {
		h.mute[p.Identity] = true
	}
	return member, sure
}

// inherits tells whether p has what it carries from a spared process: then every
// parent of its up to that one carries it. An orphan that was only adopted by
// one that is spared, a subreaper, is not spared unless that one carries it too.
func (h *hunt) inherits(p Process) bool {
	if len(h.target.Spare) == 0 || h.target.Match == nil || h.found[p.Identity] != nil {
		return false
	}
	for {
		parent, err := lookup(p.Parent)
		if err != nil || parent.Pid <= 1 || parent.Start > p.Start || !parent.Carries(h.target.Match) {
			return false
		}
		if h.target.Spare[parent.Identity] {
			return true
		}
		p = parent
	}
}

// strike sends sig to p, unless p has had it or is a zombie.
func (h *hunt) strike(p Process, sig unix.Signal) {
	q := h.found[p.Identity]
	if q == nil {
		q = &quarry{}
		h.found[p.Identity] = q
	}
	if p.Zombie || q.sent == sig {
		return
	}
	if q.err = signal(p.Identity, sig); q.err == unix.ESRCH {
		q.err = nil
	}
	if q.err == nil {
		q.sent = sig
	}
	if sig != unix.SIGKILL {
		signal(p.Identity, unix.SIGCONT)
	}
}
