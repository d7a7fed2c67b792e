package proc

import (
	"runtime"
	"syscall"
)

func init() { runtime.LockOSThread() } // main runs on the main thread

// exitThread ends the calling thread alone.
func exitThread() { syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0) }

// vfork waits, as for a disk, for a process that does nothing and ends with this one.
// That process runs on a copy of this thread, where only system calls work.
//
//go:norace
func vfork() {
	pid, _, _ := syscall.RawSyscall6(syscall.SYS_CLONE, syscall.CLONE_VFORK|uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	for pid == 0 {
		syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0)
		syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
}
