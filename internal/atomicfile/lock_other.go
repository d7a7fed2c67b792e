//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package atomicfile

import (
	"errors"
	"os"
)

const exclusive, shared = 0, 0

func tryLock(f *os.File, how int) (bool, error) { return false, errors.ErrUnsupported }
