//go:build !(linux || darwin || (freebsd && (amd64 || arm64 || riscv64)))

package proc

import (
	"errors"
	"iter"
)

// This package cannot read the process table of these systems. End then ends only the
// target's process and the process group that it leads.

func table() iter.Seq2[Process, error] {
	return func(yield func(Process, error) bool) { yield(Process{}, errors.ErrUnsupported) }
}

func lookup(pid int) (Process, error) { return exists(pid) }

func environ(Process) (string, error) { return "", errors.ErrUnsupported }

func uid(Process) (int, error) { return 0, errors.ErrUnsupported }
