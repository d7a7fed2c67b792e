package atomicfile

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// exchange swaps two files in one step. APFS can, HFS+ and network file systems
// can't.
func exchange(a, b string) error {
	err := unix.RenamexNp(a, b, unix.RENAME_SWAP)
	switch err {
	case nil:
		return nil
	case unix.EINVAL, unix.ENOSYS, unix.ENOTSUP:
		return errors.ErrUnsupported
	}
	return &fs.PathError{Op: "renamex_np", Path: b, Err: err}
}
