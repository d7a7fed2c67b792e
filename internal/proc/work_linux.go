package proc

import (
	"fmt"
	"os"
	"time"
)

// WorkTime is how long the threads that process pid has now have run, or been
// ready to run and waited for a core, so far. Unlike processor time it tells a
// process that works on an overloaded machine from one that waits. ok is false
// where that is not known.
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
