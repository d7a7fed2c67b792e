package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

func table() iter.Seq2[Process, error] {
	return func(yield func(Process, error) bool) {
		names, err := list("/proc")
		if err != nil {
			yield(Process{}, err)
			return
		}
		// They come in ascending order, so the newest are last until pids
		// start again from below.
		for _, name := range slices.Backward(names) {
			pid, err := strconv.Atoi(name)
			if err != nil {
				continue
			}
			if !yield(lookup(pid)) {
				return
			}
		}
	}
}

func lookup(pid int) (Process, error) {
	stat, err := read(pid, "stat")
	if err != nil {
		return Process{}, err
	}
	// pid (comm) state ppid pgrp session … starttime: comm may hold anything,
	// a closing parenthesis too, so count from the last one.
	before, after := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	fields := bytes.Fields(stat[after+1:])
	if before < 0 || after < before || len(fields) < 20 {
		return Process{}, fmt.Errorf("/proc/%d/stat is %q", pid, stat)
	}
	p := Process{Identity: Identity{Pid: pid}, Name: string(stat[before+1 : after])}
	p.Parent, _ = strconv.Atoi(string(fields[1]))
	p.session, _ = strconv.Atoi(string(fields[3]))
	p.Start, _ = strconv.ParseUint(string(fields[19]), 10, 64)
	// The state is the main thread's, which may end before the others do.
	if fields[0][0] == 'Z' || fields[0][0] == 'X' {
		threads, _ := strconv.Atoi(string(fields[17]))
		p.Zombie, p.headless = threads <= 1, threads > 1
	}
	return p, nil
}

// environ fails for the processes of other users, and is empty for zombies and
// the kernel's threads.
func environ(p Process) (string, error) {
	if !p.headless {
		env, err := read(p.Pid, "environ")
		return string(env), err
	}
	threads, _ := list("/proc/" + strconv.Itoa(p.Pid) + "/task")
	for _, thread := range threads {
		if env, _ := read(p.Pid, "task/"+thread+"/environ"); len(env) > 0 {
			return string(env), nil
		}
	}
	return "", nil
}

// uid is not the owner of the process's files in /proc: those of one that may
// not be dumped are root's.
func uid(p Process) (int, error) {
	status, err := read(p.Pid, "status")
	if err != nil {
		return 0, err
	}
	var uid int
	_, after, _ := bytes.Cut(status, []byte("\nUid:\t"))
	if _, err := fmt.Sscan(string(after), &uid); err != nil {
		return 0, fmt.Errorf("/proc/%d/status: its user: %w", p.Pid, err)
	}
	return uid, nil
}

// read reads a file of a process.
func read(pid int, name string) ([]byte, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		err = unix.ESRCH
	}
	return data, err
}

// list is os.ReadDir without the order and without asking what each name is.
func list(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}
