package conformance

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The functions below read /proc. Elsewhere they find nothing, and a leak
// shows only in the files that a turn leaves.

// withVariable returns the processes with a variable in their environment that,
// as "NAME=VALUE", begins with prefix.
func withVariable(prefix string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+prefix)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// marked describes the same processes.
func marked(prefix string) (found []string) {
	for _, pid := range withVariable(prefix) {
		found = append(found, describe(fmt.Sprintf("/proc/%d", pid)))
	}
	return found
}

// children returns the children of a process, defunct ones included.
func children(pid int) (found []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// The name in parentheses may hold anything, and parentheses too.
		_, after, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')'):]), ") ")
		if f := strings.Fields(after); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			found = append(found, describe(filepath.Dir(file)))
		}
	}
	return found
}

func describe(procDir string) string {
	cmdline, _ := os.ReadFile(filepath.Join(procDir, "cmdline"))
	return fmt.Sprintf("%s %q", filepath.Base(procDir), bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '}))
}
