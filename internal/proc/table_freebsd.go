//go:build amd64 || arm64 || riscv64

package proc

import (
	"errors"
	"iter"

	"golang.org/x/sys/unix"
)

// From the headers and the kernel's source, never run. The start time is the
// system's uptime when the process was forked, in microseconds.

func table() iter.Seq2[Process, error] {
	all, err := kinfo("kern.proc.proc")
	if err != nil {
		return func(yield func(Process, error) bool) { yield(Process{}, err) }
	}
	return newestFirst(all)
}

func lookup(pid int) (Process, error) {
	if pid <= 0 {
		return Process{}, unix.ESRCH
	}
	rows, err := kinfo("kern.proc.pid", pid)
	if errors.Is(err, errors.ErrUnsupported) {
		return exists(pid)
	}
	if err != nil {
		return Process{}, err
	}
	// A thread's id is answered with its process.
	if len(rows) != 1 || rows[0].Pid != pid {
		return Process{}, unix.ESRCH
	}
	return rows[0], nil
}

// environ fails for the processes of other users, and for all of them where
// security.bsd.unprivileged_proc_debug is off.
func environ(p Process) (string, error) {
	env, err := unix.SysctlRaw("kern.proc.env", p.Pid)
	if err == unix.ENOMEM { // its memory is being replaced
		return "", nil
	}
	return string(env), err
}

func uid(p Process) (int, error) { return p.user, nil }

func kinfo(name string, args ...int) ([]Process, error) {
	boot, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return nil, err
	}
	for tries := 1; ; tries++ {
		rows, err := unix.SysctlRaw(name, args...)
		if err == unix.ENOMEM && tries < 10 {
			continue // more processes than there were when it asked for the size
		}
		if err != nil {
			return nil, err
		}
		return parseKinfo(rows, boot.Sec*1e6+boot.Usec)
	}
}
