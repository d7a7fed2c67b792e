package proc

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// A hunt is the state of one [End].
type hunt struct {
	target Target
	spared map[Identity]bool     // this process and its ancestors
	found  map[Identity]*attempt // every process that was part of the target at any time
	noEnv  map[Identity]bool     // had no readable environment when last seen
	looked bool
}

// An attempt is the last signal that was sent to a process, and the error of sending.
type attempt struct {
	sent unix.Signal
	err  error
}

func newHunt(t Target) (*hunt, error) {
	h := &hunt{
		target: t,
		spared: map[Identity]bool{},
		found:  map[Identity]*attempt{},
		noEnv:  map[Identity]bool{},
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
		return nil, errors.New("it must not be ended: give the pid of a program that you have started")
	}
	return h, nil
}

// look goes through the process table. It sends sig once to each living process of the
// target and returns these processes. sure is false if there may be more of them: a
// process may have forked after the list was made and then ended, and its child is in
// no list; and a process in the middle of an exec shows no marker.
func (h *hunt) look(sig unix.Signal) (alive []Process, sure bool, err error) {
	root := h.target.Identity
	// While the leader exists, if only as a zombie, its pid cannot have become
	// another session's id; after that, the id alone proves nothing.
	leads := root.check() == nil

	var all []Process
	byPid := map[int]Process{}
	members := map[int]bool{}
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
		// In any case: never init, never this process, never an older process.
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
			members[p.Pid] = true
			// At once, because it may fork again in a moment. But not in the first
			// look: when a parent has ended, its children can't be found by it.
			if h.looked {
				h.signalOnce(p, sig)
			}
		}
	}

	// Any other process belongs to the target if its parent does.
	var belongs func(p Process) bool
	belongs = func(p Process) bool {
		yes, settled := members[p.Pid]
		if settled {
			return yes
		}
		members[p.Pid] = false // parents cannot form a ring; a torn table might
		if parent, ok := byPid[p.Parent]; ok && parent.Start <= p.Start {
			members[p.Pid] = belongs(parent)
		}
		return members[p.Pid]
	}
	for _, p := range slices.Backward(all) { // parents first
		if belongs(p) {
			h.signalOnce(p, sig)
			if !p.Zombie {
				alive = append(alive, p)
			}
		}
	}
	h.looked = true
	return alive, sure, nil
}

// tell reports whether p shows by itself, without its parent, that it belongs to the
// target. It is not sure about a process that it sees without an environment for the
// first time.
func (h *hunt) tell(p Process, leads bool) (member, sure bool) {
	member = h.found[p.Identity] != nil || leads && (p.Pid == h.target.Pid || p.session == h.target.Pid)
	noEnv := p.Zombie
	if !member && !p.Zombie && h.target.Match != nil {
		env, err := environ(p)
		if err == unix.ESRCH {
			return false, false
		}
		for range matching(env, h.target.Match) {
			member = true
		}
		noEnv = env == "" && err == nil
	}
	sure = !noEnv || h.noEnv[p.Identity]
	if noEnv {
		h.noEnv[p.Identity] = true
	}
	return member, sure
}

// inherits tells whether p has inherited the environment entry from a spared process.
// Then every ancestor up to the spared one carries the entry. An orphan that a spared
// process has only adopted, as a subreaper, is spared only if that process carries the
// entry too.
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

// signalOnce sends sig to p, unless p has got it before or is a zombie.
func (h *hunt) signalOnce(p Process, sig unix.Signal) {
	a := h.found[p.Identity]
	if a == nil {
		a = &attempt{}
		h.found[p.Identity] = a
	}
	if p.Zombie || a.sent == sig {
		return
	}
	if a.err = signal(p.Identity, sig); a.err == unix.ESRCH {
		a.err = nil
	}
	if a.err == nil {
		a.sent = sig
	}
	if sig != unix.SIGKILL {
		signal(p.Identity, unix.SIGCONT)
	}
}
