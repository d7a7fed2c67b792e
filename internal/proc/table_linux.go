package proc

import (
	"bytes"
	"os"
	"strconv"
)

// table lists every process that can be seen.
func table() ([]process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := lookup(pid); ok {
			all = append(all, p)
		}
	}
	return all, nil
}

// lookup reads one row. It fails when the process is gone.
func lookup(pid int) (process, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	// pid (comm) state ppid pgrp session … starttime: comm may hold anything,
	// a closing parenthesis too, so count from the last one.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return process{}, false
	}
	p := process{Identity: Identity{Pid: pid}}
	p.ppid, _ = strconv.Atoi(string(fields[1]))
	p.sid, _ = strconv.Atoi(string(fields[3]))
	threads, _ := strconv.Atoi(string(fields[17]))
	p.Start, _ = strconv.ParseUint(string(fields[19]), 10, 64)
	// The state is the main thread's, which may end before the others do.
	p.zombie = (fields[0][0] == 'Z' || fields[0][0] == 'X') && threads <= 1
	return p, true
}

// marked tells whether the process was started with marker in its environment.
// A process of another user cannot be read and so is not marked. One that is in
// the middle of an exec has no environment to be read for a moment.
func marked(pid int, marker string) bool {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if string(v) == marker {
			return true
		}
	}
	return false
}
