//go:build !unix

package atomicfile

import (
	"io/fs"
	"os"
)

func keepOwner(f *os.File, old fs.FileInfo) {}
