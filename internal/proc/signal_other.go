//go:build !linux

package proc

import "golang.org/x/sys/unix"

// send checks the start time right before it sends the signal. There is no handle on a
// process here. The signal hits another process if, in the microseconds between, the
// process ends, is reaped, and the system uses its pid again.
//
// Where the process table cannot be read there is no start time. If the process leads
// a process group, the signal then goes to the whole group.
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
