//go:build !linux

package proc

import "golang.org/x/sys/unix"

// send looks at the start time right before it kills. Nothing pins a pid here:
// a stranger is hit if, in the microseconds between, the process ends, is
// reaped, and the system comes round to its pid.
//
// Where the process table is not read there is no start time, and the group
// that the process leads stands for its tree.
func send(id Identity, sig unix.Signal) error {
	if err := id.check(); err != nil {
		return err
	}
	if id.Start == 0 {
		if pgid, err := unix.Getpgid(id.Pid); err == nil && pgid == id.Pid {
			return unix.Kill(-id.Pid, sig)
		}
	}
	return unix.Kill(id.Pid, sig)
}
