package proc

import (
	"bytes"
	"os"
	"strconv"
)

// Stopped reports whether process pid has been stopped, by a signal such as
// SIGSTOP or SIGTSTP, or by a debugger. It returns false where that is
// not known.
func Stopped(pid int) bool {
	s := state("/proc/" + strconv.Itoa(pid))
	return s == 'T' || s == 't'
}

// Waits reports whether a thread of process pid waits for a disk or another device: it
// sleeps and cannot be interrupted. It returns false where that is not known.
func Waits(pid int) bool {
	threads, _ := list(taskDir(pid))
	for _, thread := range threads {
		if state(taskDir(pid)+thread) == 'D' {
			return true
		}
	}
	return false
}

// state returns the state of the process or thread whose directory in /proc is dir: see
// proc_pid_stat(5).
func state(dir string) byte {
	stat, _ := os.ReadFile(dir + "/stat")
	_, after, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
	if len(after) == 0 {
		return 0
	}
	return after[0]
}
