package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// Unread returns how many bytes of input wait in the terminal device tty for the
// program to read them. In canonical mode only whole lines count.
func Unread(tty string) (int, error) {
	fd, err := unix.Open(tty, unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: tty, Err: err}
	}
	defer unix.Close(fd)
	n, err := unix.IoctlGetInt(fd, fionread)
	if err != nil {
		return 0, &os.PathError{Op: "ioctl", Path: tty, Err: err}
	}
	return n, nil
}
