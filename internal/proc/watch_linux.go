package proc

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// watch waits on a pidfd in the runtime's own poller: no thread and no timer,
// and it works for processes that are not our children. Kernels before 5.3, and
// sandboxes that forbid the call or cannot poll its descriptor, get the poll.
func watch(pid int) (*Watcher, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
		return poll(pid), nil
	case err != nil:
		return nil, fmt.Errorf("watching process %d: pidfd_open: %w", pid, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("watching process %d: %w", pid, err)
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	conn, err := file.SyscallConn()
	if err != nil || file.SetReadDeadline(time.Time{}) != nil {
		file.Close()
		return poll(pid), nil
	}
	w := &Watcher{
		done: make(chan struct{}),
		stop: func() { file.Close() }, // ends the Read below
	}
	go func() {
		defer file.Close()
		err := conn.Read(func(fd uintptr) bool {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(p, 0)
			return err == nil && n > 0
		})
		if err == nil {
			close(w.done)
		}
	}()
	return w, nil
}
