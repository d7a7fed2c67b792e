package proc

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// All returns the process table. The error wraps [errors.ErrUnsupported] on systems
// whose table this package cannot read.
func All() ([]Process, error) {
	var all []Process
	for p, err := range table() {
		switch err {
		case nil:
			all = append(all, p)
		case unix.ESRCH:
		default:
			return nil, fmt.Errorf("listing the processes: %w", err)
		}
	}
	return all, nil
}

// Session returns the id of p's session, which is the pid of the process that began
// it; -1 if it is not known. A new process is in its parent's session.
func (p Process) Session() int { return p.session }

// UID returns p's real user id.
func (p Process) UID() (int, error) { return uid(p) }

// Carries tells whether the process was started with an environment entry,
// "KEY=VALUE", for which match reports true. It sees the same entries as [Find].
func (p Process) Carries(match func(entry string) bool) bool {
	env, _ := environ(p)
	for range matching(env, match) {
		return true
	}
	return false
}
