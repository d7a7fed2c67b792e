//go:build !linux && !darwin

package proc

import (
	"os"

	"golang.org/x/sys/unix"
)

// exists is the lookup for systems whose process table cannot be read. It tells only
// whether there is such a process, zombies included.
func exists(pid int) (Process, error) {
	if pid <= 0 {
		return Process{}, unix.ESRCH // kill would take it for a group
	}
	if err := unix.Kill(pid, 0); err != nil && err != unix.EPERM {
		return Process{}, err
	}
	p := Process{Identity: Identity{Pid: pid}, Parent: -1, session: -1}
	if pid == os.Getpid() {
		p.Parent = os.Getppid()
	}
	return p, nil
}
