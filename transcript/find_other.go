//go:build !unix

package transcript

import (
	"os"
	"path/filepath"
)

// nonblock does nothing, because the file system has no FIFO.
const nonblock = 0

// isFileIn reports whether name, a relative path, is a regular file below dir.
func isFileIn(dir *os.File, name string) bool {
	info, err := os.Stat(filepath.Join(dir.Name(), name))
	return err == nil && info.Mode().IsRegular()
}
