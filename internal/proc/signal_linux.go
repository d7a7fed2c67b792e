package proc

import "golang.org/x/sys/unix"

// signal sends sig to id and to nobody else: the pidfd pins whichever process
// has the pid now, and the start time then tells whether that is id.
func signal(id Identity, sig unix.Signal) error {
	fd, err := unix.PidfdOpen(id.Pid, 0)
	if err == unix.ENOSYS || err == unix.EPERM {
		// No pidfd here: the gap between the look and the signal remains.
		if now, ok := lookup(id.Pid); !ok || now.Identity != id {
			return unix.ESRCH
		}
		return unix.Kill(id.Pid, sig)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if now, ok := lookup(id.Pid); !ok || now.Identity != id {
		return unix.ESRCH
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}
