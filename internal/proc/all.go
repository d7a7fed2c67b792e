package proc

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// All returns the process table. The error wraps [errors.ErrUnsupported] where
// it is not read.
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

// Session is the pid of the process that began the session that p is in, -1 if
// that is not known. A process is born into its parent's.
func (p Process) Session() int { return p.session }

// UID is the real user id that p runs with.
func (p Process) UID() (int, error) { return uid(p) }

// Carries tells whether the process has an environment entry, "KEY=VALUE", for
// which match reports true, as [Find] sees it.
func (p Process) Carries(match func(entry string) bool) bool {
	env, _ := environ(p)
	for range matching(env, match) {
		return true
	}
	return false
}
