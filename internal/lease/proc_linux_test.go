package lease

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// left are the processes that a test has started and that run.
func left(t testing.TB) []proc.Identity {
	return running(t, "environ", runVar+"="+runName(t)+"\x00")
}

// guardians are those of the leases that have dir in their path.
func guardians(t testing.TB, dir string) []proc.Identity {
	return running(t, "cmdline", "\x00tuiturn-guardian\x00", dir)
}

// running are the processes in whose file all words are.
func running(t testing.TB, file string, words ...string) (all []proc.Identity) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/" + file)
	if err != nil {
		t.Fatal(err)
	}
next:
	for _, name := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		id := proc.Identify(pid)
		data, _ := os.ReadFile(name)
		for _, word := range words {
			if !bytes.Contains(data, []byte(word)) {
				continue next
			}
		}
		if alive(id) {
			all = append(all, id)
		}
	}
	return all
}

// settled waits until a guardian has set its traps.
func settled(t testing.TB, pid int) {
	t.Helper()
	eventually(t, "the guardian to say its name", func() bool {
		comm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
		return err == nil && string(comm) == "tuiturn-guard\n"
	})
}
