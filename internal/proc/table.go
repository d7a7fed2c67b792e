package proc

import (
	"fmt"
	"iter"
	"strings"

	"golang.org/x/sys/unix"
)

// A Process is one row of the process table.
type Process struct {
	Identity
	Parent int    // its parent's pid
	Name   string // the program's, cut at 15 to 19 bytes; any bytes, and programs can change it
	Zombie bool   // all of it has ended and its parent has not asked yet

	session  int  // -1 if not known
	user     int  // not on Linux, see UID
	headless bool // its main thread has ended, others run; Linux has that
}

// Every system has
//
//	table() iter.Seq2[Process, error]
//	lookup(pid int) (Process, error)
//	environ(p Process) (string, error)
//	uid(p Process) (int, error)
//
// table is every process that can be seen, the newest first as far as that is
// known: what has just begun may be gone again in a moment. The error of a row
// is ESRCH for a process that ended before it could be read; any other ends the
// table, ErrUnsupported where it is not read. lookup is one row. environ is the
// environment that a process was started with, each entry ended by a NUL; it is
// empty, or the error ESRCH, for a moment when a program is replaced (exec).
// Both have ESRCH for a process that does not exist.

// StartTime tells process pid apart from every other process that has had or
// will have its pid. The unit is the system's own, and a child never starts
// before its parent; alive is false for a process that does not exist or has
// ended and waits to be reaped.
func StartTime(pid int) (start uint64, alive bool) {
	p, err := lookup(pid)
	return p.Start, err == nil && !p.Zombie
}

// Children returns the children of process pid, zombies too. The error wraps
// [errors.ErrUnsupported] where the process table is not read.
func Children(pid int) ([]Process, error) {
	var children []Process
	for p, err := range table() {
		if err == nil && p.Parent == pid {
			children = append(children, p)
		}
		if err != nil && err != unix.ESRCH {
			return nil, fmt.Errorf("listing the children of process %d: %w", pid, err)
		}
	}
	return children, nil
}

// A Carrier is a process with an environment entry that was asked for.
type Carrier struct {
	Process
	Entry string // "KEY=VALUE"
}

// Find returns the processes that were started with an environment entry,
// "KEY=VALUE", for which match reports true; one with several comes once for
// each. It sees what a [Target]'s Match sees: no zombies, which have no
// environment, and no processes of others, unless this one is root's. The error
// wraps [errors.ErrUnsupported] where the process table is not read.
func Find(match func(entry string) bool) ([]Carrier, error) {
	var found []Carrier
	for p, err := range table() {
		if err == unix.ESRCH || p.Zombie {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("looking for marked processes: %w", err)
		}
		env, _ := environ(p)
		for entry := range matching(env, match) {
			found = append(found, Carrier{p, entry})
		}
	}
	return found, nil
}

// matching are the entries of an environment for which match reports true.
func matching(env string, match func(entry string) bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		for entry := range strings.SplitSeq(env, "\x00") {
			if entry != "" && match(entry) && !yield(entry) {
				return
			}
		}
	}
}
