package atomicfile

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// exchange swaps two files in one step.
func exchange(a, b string) error {
	for {
		err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
		switch err {
		case nil:
			return nil
		case unix.EINTR:
			continue
		case unix.EINVAL, unix.ENOSYS, unix.ENOTSUP:
			// NFS and 9p say EINVAL, a kernel before 3.15 ENOSYS.
			return errors.ErrUnsupported
		}
		return &fs.PathError{Op: "renameat2", Path: b, Err: err}
	}
}
