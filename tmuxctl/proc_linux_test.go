package tmuxctl_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// zombies are the children of a process that wait to be reaped.
func zombies(parent int) (pids []string) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		data, _ := os.ReadFile(file)
		var state byte
		var ppid int
		rest := string(data[strings.LastIndexByte(string(data), ')')+1:])
		if fmt.Sscanf(rest, " %c %d", &state, &ppid); state == 'Z' && ppid == parent {
			pids = append(pids, file)
		}
	}
	return pids
}

// commandLines are those of every process that hold text.
func commandLines(text string) (found []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if data, _ := os.ReadFile(file); strings.Contains(string(data), text) {
			found = append(found, strings.ReplaceAll(string(data), "\x00", " "))
		}
	}
	return found
}

func TestTheProgramGetsNoDescriptorOfOurs(t *testing.T) {
	x := open(t, newServer(t), script("turn", "echo up; exec sleep 60"))
	see(t, x, "up")
	eventually(t, "a program with three descriptors", func() bool { // sleep's loader has one more for a moment
		fds := list(t, fmt.Sprintf("/proc/%d/fd", x.Pid()))
		return slices.Equal(fds, []string{"0", "1", "2"})
	})
}
