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
	Parent int    // the parent's pid
	Name   string // of the program, cut at 15 to 19 bytes; any bytes, and programs can change it
	Zombie bool   // all threads have ended and the parent has not waited for it yet

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
// table yields every visible process, the newest first where the order is known: a new
// process may be gone in a moment. The error of a row is ESRCH for a process that ended
// before it could be read. Any other error ends the table; it is ErrUnsupported where
// the table cannot be read.
//
// lookup returns one row. environ returns the environment that a process was started
// with, each entry ended by a NUL. For a moment during an exec the environment is
// empty, or the error is ESRCH. Both return ESRCH for a process that does not exist.

// StartTime returns the start time of process pid, which no other process with the same
// pid has. The unit depends on the system. A child never starts before its parent.
// alive is false for a process that does not exist and for a zombie.
func StartTime(pid int) (start uint64, alive bool) {
	p, err := lookup(pid)
	return p.Start, err == nil && !p.Zombie
}

// Children returns the children of process pid, zombies too. The error wraps
// [errors.ErrUnsupported] where the process table cannot be read.
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

// A Carrier is a process with an environment entry that [Find] looked for.
type Carrier struct {
	Process
	Entry string // "KEY=VALUE"
}

// Find returns the processes that were started with an environment entry,
// "KEY=VALUE", for which match reports true. A process with several such entries is
// returned once for each. Find sees what a [Target]'s Match sees: no zombies, which
// have no environment, and processes of other users only if this one is root's. The
// error wraps [errors.ErrUnsupported] where the process table cannot be read.
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

// matching yields the entries of an environment for which match reports true.
func matching(env string, match func(entry string) bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		for entry := range strings.SplitSeq(env, "\x00") {
			if entry != "" && match(entry) && !yield(entry) {
				return
			}
		}
	}
}
