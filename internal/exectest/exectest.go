// Package exectest writes programs for tests.
package exectest

import (
	"os"
	"syscall"
	"testing"
)

// Write writes a program that can be executed at once. While the file is open for
// writing, another goroutine of the test could fork: the child would hold the file open
// until its exec, and the kernel refuses to execute it until then (ETXTBSY).
func Write(t testing.TB, path, text string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}
