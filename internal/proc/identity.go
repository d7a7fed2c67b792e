package proc

import "golang.org/x/sys/unix"

// An Identity is one process, however often its pid is used again.
type Identity struct {
	Pid   int
	Start uint64 // see StartTime
}

// Identify returns the identity of the process that has the pid now. Where
// there is none, Start is zero and the identity is nobody's.
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

// check returns ESRCH unless id is the process that has its pid now.
func (id Identity) check() error {
	now, err := lookup(id.Pid)
	if err == nil && now.Identity != id {
		return unix.ESRCH
	}
	return err
}
