package proc

import "golang.org/x/sys/unix"

// send pins whichever process has the pid now with a pidfd; the start time then
// tells whether that is id.
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
