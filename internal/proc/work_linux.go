package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// WorkTime returns the time that the current threads of process pid have spent running
// or ready to run. Unlike processor time it grows while a process waits for a core, so
// it tells a process that works on an overloaded machine from an idle one. ok is false
// where the time is not known.
func WorkTime(pid int) (worked time.Duration, ok bool) {
	threads, err := list(taskDir(pid))
	if err != nil {
		return 0, false
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(taskDir(pid) + thread + "/schedstat")
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

// Delegates tells whether process pid waits for a process that works: whether one that it
// has started within the last d, or that such a process has started, has spent more than
// 1/share of its life running or ready to run, or waits for a disk. It is false where the kernel does not tell
// the children of a process (it is built without CONFIG_PROC_CHILDREN).
func Delegates(pid int, d time.Duration, share int) bool {
	threads, _ := list(taskDir(pid))
	for _, thread := range threads {
		pids, _ := os.ReadFile(taskDir(pid) + thread + "/children")
		for _, field := range bytes.Fields(pids) {
			child, err := strconv.Atoi(string(field))
			if err != nil {
				continue
			}
			lived, ok := age(child)
			if !ok || lived > d {
				continue
			}
			if work, ok := WorkTime(child); ok && work > lived/time.Duration(share) || Waits(child) || Delegates(child, d, share) {
				return true
			}
		}
	}
	return false
}

func taskDir(pid int) string { return "/proc/" + strconv.Itoa(pid) + "/task/" }

// age returns how long ago process pid was started, to a tick of 10 ms.
func age(pid int) (time.Duration, bool) {
	const tick = time.Second / 100 // on every architecture that Go runs on
	var now unix.Timespec
	start, alive := StartTime(pid)
	if !alive || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0, false
	}
	age := time.Duration(now.Nano()) - time.Duration(start)*tick
	return age, age >= 0
}
