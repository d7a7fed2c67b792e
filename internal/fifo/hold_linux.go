package fifo

import (
	"os"

	"golang.org/x/sys/unix"
)

// hold keeps a handle on the FIFO without opening it for reading or writing.
func hold(path string) *os.File {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), path)
}
