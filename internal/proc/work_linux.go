package proc

import (
	"fmt"
	"os"
	"time"
)

// WorkTime returns the time that the current threads of process pid have spent running
// or ready to run. Unlike processor time it grows while a process waits for a core, so
// it tells a process that works on an overloaded machine from an idle one. ok is false
// where the time is not known.
func WorkTime(pid int) (worked time.Duration, ok bool) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(dir)
	if err != nil {
		return 0, false
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(dir + "/" + thread.Name() + "/schedstat")
		if err != nil {
			continue // ended meanwhile, or a kernel without it
		}
		var ran, waited time.Duration // nanoseconds
		if _, err := fmt.Sscan(string(stat), &ran, &waited); err == nil {
			worked, ok = worked+ran+waited, true
		}
	}
	return worked, ok
}
