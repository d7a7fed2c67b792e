//go:build !linux

package proc

import "golang.org/x/sys/unix"

// signal reaches the process and, where it leads one, its group: this system's
// process table is not read, so children that left the group are not found.
func signal(id Identity, sig unix.Signal) error {
	if id.Pid <= 1 {
		return unix.EINVAL // kill would take it for a group, or for everybody
	}
	if pgid, err := unix.Getpgid(id.Pid); err == nil && pgid == id.Pid {
		return unix.Kill(-id.Pid, sig)
	}
	return unix.Kill(id.Pid, sig)
}
