package proc

import "golang.org/x/sys/unix"

// An Identity is one process, however often its pid is used again.
type Identity struct {
	Pid   int
	Start uint64
}

// Identify returns the identity of the process that has the pid now.
func Identify(pid int) Identity {
	start, _ := StartTime(pid)
	return Identity{pid, start}
}

// Signal sends sig. It is no error when the process has ended.
func (id Identity) Signal(sig unix.Signal) error {
	err := signal(id, sig)
	if err == unix.ESRCH {
		return nil
	}
	return err
}

// Terminate sends SIGTERM. It is no error when the process has ended.
func (id Identity) Terminate() error { return id.Signal(unix.SIGTERM) }
