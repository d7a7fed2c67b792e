package lease

import (
	"fmt"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// A State says what is proven about a lease's host.
type State int

const (
	Unknown State = iota // nothing: leave the lease alone
	Alive
	Dead
)

func (s State) String() string {
	switch s {
	case Alive:
		return "alive"
	case Dead:
		return "dead"
	}
	return "unknown"
}

// HostState judges the host of a lease by the lease's ID alone, as a process on
// this machine carries it in its environment, and says why.
func HostState(id string) (State, string) {
	parsed, err := parseID(id)
	if err != nil {
		return Unknown, err.Error()
	}
	return judge(parsed, onThisMachine)
}

// LiveHost returns the process that the lease's ID names. ok is false unless that
// process runs, in this boot and pid namespace.
func LiveHost(id string) (host proc.Identity, ok bool) {
	parsed, err := parseID(id)
	if err != nil || parsed.ns != here().ns || parsed.boot != here().boot {
		return proc.Identity{}, false
	}
	start, ok := proc.StartTime(parsed.host.Pid)
	return parsed.host, ok && start == parsed.host.Start
}

// An evidence is what is known about a lease besides its ID.
type evidence int

const (
	nothing       evidence = iota // its directory can't be locked
	onThisMachine                 // a process that runs here carries its ID
	lockHeld                      // by its host, or by a sweep
	lockFree                      // which its host took
)

func judge(id identity, e evidence) (State, string) {
	pid := id.host.Pid
	sameNS := id.ns == here().ns
	sameBoot := id.boot == here().boot
	otherBoot := !sameBoot && id.boot != unknown && here().boot != unknown
	if sameNS && sameBoot {
		start, ok := proc.StartTime(pid)
		switch {
		case ok && start == id.host.Start:
			return Alive, fmt.Sprintf("its host, process %d, runs", pid)
		case e != lockHeld:
			why := fmt.Sprintf("its host, process %d, has ended", pid)
			if ok {
				why += "; another process has that pid"
			}
			if e == nothing {
				why += "; its directory can't be locked, which would be better proof"
			}
			return Dead, why
		}
	}
	switch {
	case e == lockHeld:
		return Alive, "its directory is locked, by its host or by a sweep"
	case e == lockFree:
		// Only the end of the host frees the lock. Where a container is told
		// another boot than its machine, or another namespace's pids mean
		// nothing here, this still holds.
		return Dead, fmt.Sprintf("its directory's lock is free: its host, process %d of another boot or pid namespace, has ended", pid)
	case e == onThisMachine && sameNS && otherBoot:
		// Not the boot alone: a container may be told another one than its
		// machine. The first namespace has the same number at every boot.
		return Dead, fmt.Sprintf("its host, process %d, ran before the last boot", pid)
	}
	return Unknown, fmt.Sprintf("its host is process %d of another boot, machine or pid namespace, and no lock tells whether it lives", pid)
}
