package proc

import (
	"os"

	"golang.org/x/sys/unix"
)

// signal sends sig to id and to nobody else. The error is ESRCH when id has
// ended, whoever has its pid now.
func signal(id Identity, sig unix.Signal) error {
	if id.Pid <= 1 || id.Pid == os.Getpid() {
		return unix.EINVAL // init, or what kill takes for a group or for everybody
	}
	return send(id, sig)
}
