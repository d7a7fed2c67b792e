package proc

import (
	"iter"

	"golang.org/x/sys/unix"
)

// From the headers and the kernel's source, never run. The start time is the
// clock's when the process was forked, in microseconds: a child that is born
// after the clock was set back seems older than its parent, and End does not
// take it for its target's.

const zombie = 5 // SZOMB in sys/proc.h

func table() iter.Seq2[Process, error] {
	rows, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return func(yield func(Process, error) bool) { yield(Process{}, err) }
	}
	all := make([]Process, len(rows))
	for i := range rows {
		all[i] = fromKinfo(&rows[i])
	}
	return newestFirst(all)
}

func lookup(pid int) (Process, error) {
	if pid <= 0 {
		return Process{}, unix.ESRCH
	}
	// The plain SysctlKinfoProc has EIO both for no process and for trouble.
	rows, err := unix.SysctlKinfoProcSlice("kern.proc.pid", pid)
	if err != nil {
		return Process{}, err
	}
	if len(rows) == 0 {
		return Process{}, unix.ESRCH
	}
	return fromKinfo(&rows[0]), nil
}

func fromKinfo(k *unix.KinfoProc) Process {
	pid := int(k.Proc.P_pid)
	session, _ := unix.Getsid(pid) // the table has the kernel's pointer only
	return Process{
		Identity: Identity{pid, uint64(k.Proc.P_starttime.Sec)*1e6 + uint64(k.Proc.P_starttime.Usec)},
		Parent:   int(k.Eproc.Ppid),
		Name:     unix.ByteSliceToString(k.Proc.P_comm[:]),
		Zombie:   k.Proc.P_stat == zombie,
		session:  session,
		user:     int(k.Eproc.Pcred.P_ruid),
	}
}

func uid(p Process) (int, error) { return p.user, nil }

// environ is empty for Apple's own programs, /bin/sh and /bin/sleep among them:
// the kernel keeps their environment to itself, from root too, as long as
// system integrity protection is on.
func environ(p Process) (string, error) {
	args, err := unix.SysctlRaw("kern.procargs2", p.Pid)
	if err == unix.EINVAL && unix.Kill(p.Pid, 0) == unix.ESRCH {
		err = unix.ESRCH // EINVAL is for other users' processes, too
	}
	if err != nil {
		return "", err
	}
	return parseProcargs(args), nil
}
