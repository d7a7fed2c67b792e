package proc

import (
	"bytes"
	"fmt"
	"os"
)

// Stopped reports whether process pid has been stopped, by a signal such as
// SIGSTOP or SIGTSTP, or by a debugger. It returns false where that is
// not known.
func Stopped(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, ok := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
	return ok && len(after) > 0 && (after[0] == 'T' || after[0] == 't')
}
