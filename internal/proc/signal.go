package proc

import (
	"os"

	"golang.org/x/sys/unix"
)

// signal sends sig to id and to no other process. If id has ended, the error is ESRCH,
// also if another process has its pid now.
func signal(id Identity, sig unix.Signal) error {
	if id.Pid <= 1 || id.Pid == os.Getpid() {
		return unix.EINVAL // init, or what kill takes for a group or for everybody
	}
	return send(id, sig)
}
