package proc

import "golang.org/x/sys/unix"

// send opens a pidfd for the process that has the pid now. The start time then tells
// whether that process is id.
func send(id Identity, sig unix.Signal) error {
	fd, err := unix.PidfdOpen(id.Pid, 0)
	if err == unix.ENOSYS || err == unix.EPERM {
		// No pidfd here: the gap between the check and the signal remains.
		if err := id.check(); err != nil {
			return err
		}
		return unix.Kill(id.Pid, sig)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := id.check(); err != nil {
		return err
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}
