package proc

import "golang.org/x/sys/unix"

// An Identity identifies one process, also if its pid is used again later.
type Identity struct {
	Pid   int
	Start uint64 // see StartTime
}

// Identify returns the identity of the process that has the pid now. If there is no
// such process, Start is zero and the identity matches no process.
func Identify(pid int) Identity {
	start, _ := StartTime(pid)
	return Identity{pid, start}
}

// Signal sends sig. An ended process is no error.
func (id Identity) Signal(sig unix.Signal) error {
	err := signal(id, sig)
	if err == unix.ESRCH {
		return nil
	}
	return err
}

// Terminate sends SIGTERM. An ended process is no error.
func (id Identity) Terminate() error { return id.Signal(unix.SIGTERM) }

// check returns ESRCH unless id is the process that has its pid now.
func (id Identity) check() error {
	now, err := lookup(id.Pid)
	if err == nil && now.Identity != id {
		return unix.ESRCH
	}
	return err
}
