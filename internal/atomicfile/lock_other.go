//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package atomicfile

import (
	"errors"
	"os"
)

func tryLock(f *os.File) (bool, error) { return false, errors.ErrUnsupported }
