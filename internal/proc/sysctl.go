package proc

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// What macOS and FreeBSD answer to sysctl: from their headers and the sources of
// xnu and FreeBSD 14, never run there. None of it needs the system, so that it
// can be tested on bytes made by hand.

// newestFirst is the table of a system that gives it in one piece.
func newestFirst(all []Process) iter.Seq2[Process, error] {
	slices.SortStableFunc(all, func(a, b Process) int { return cmp.Compare(b.Start, a.Start) })
	return func(yield func(Process, error) bool) {
		for _, p := range all {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// FreeBSD's struct kinfo_proc (sys/user.h) where pointers and longs have 64
// bits and the low byte comes first: amd64, arm64 and riscv64. New fields take
// the room of spare ones, so the ones below stay where they are for as long as
// the size and the layout do.
const (
	kinfoSize = 1088 // KINFO_PROC_SIZE

	kiStructsize = 0   // int
	kiLayout     = 4   // int, 0
	kiPid        = 72  // int, as are the next two
	kiPpid       = 76  //
	kiSid        = 88  //
	kiRuid       = 172 // uint32
	kiStart      = 336 // struct timeval: seconds, microseconds
	kiStat       = 388 // char
	kiComm       = 447 // char[20], ended by a NUL

	kinfoZombie = 5 // SZOMB
)

// parseKinfo reads the rows of kern.proc.proc. boot is kern.boottime in
// microseconds: the kernel adds it to the time that it has kept, and when the
// clock is set every ki_start moves along.
func parseKinfo(b []byte, boot int64) ([]Process, error) {
	var all []Process
	for ; len(b) > 0; b = b[kinfoSize:] {
		number := func(at int) int { return int(int32(binary.LittleEndian.Uint32(b[at:]))) }
		if len(b) < kinfoSize || number(kiStructsize) != kinfoSize || number(kiLayout) != 0 {
			return nil, fmt.Errorf("struct kinfo_proc is not FreeBSD 14's: %w", errors.ErrUnsupported)
		}
		started := int64(binary.LittleEndian.Uint64(b[kiStart:]))*1e6 + int64(binary.LittleEndian.Uint64(b[kiStart+8:]))
		name, _, _ := bytes.Cut(b[kiComm:kiComm+20], []byte{0})
		all = append(all, Process{
			Identity: Identity{number(kiPid), uint64(max(0, started-boot))},
			Parent:   number(kiPpid),
			Name:     string(name),
			Zombie:   b[kiStat] == kinfoZombie,
			session:  number(kiSid),
			user:     int(binary.LittleEndian.Uint32(b[kiRuid:])),
		})
	}
	return all, nil
}

// parseProcargs finds the environment in what macOS answers to kern.procargs2:
// the number of arguments, the program's path, NULs up to the next word, the
// arguments, the environment, an empty string or the end. A first argument that
// is empty cannot be told from the NULs before it: the environment then seems
// to begin one entry late.
func parseProcargs(b []byte) string {
	if len(b) < 4 {
		return ""
	}
	argc := binary.LittleEndian.Uint32(b)
	_, b, _ = bytes.Cut(b[4:], []byte{0})
	b = bytes.TrimLeft(b, "\x00")
	for ; argc > 0 && len(b) > 0; argc-- {
		_, b, _ = bytes.Cut(b, []byte{0})
	}
	if end := bytes.Index(b, []byte{0, 0}); end >= 0 {
		b = b[:end+1]
	}
	if len(b) > 0 && b[0] == 0 {
		return "" // no environment, and what follows is not it
	}
	return string(b)
}
