package conformance

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

// TestCrashLeavesNoCoreFile: a core file holds the token, and lies where anybody
// who can read the working directory can read it. The host's own limit allows one.
func TestCrashLeavesNoCoreFile(t *testing.T) {
	needAgents(t)
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	must(t, err)
	var limit unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_CORE, &limit))
	must(t, unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: limit.Max, Max: limit.Max}))
	t.Cleanup(func() { must(t, unix.Setrlimit(unix.RLIMIT_CORE, &limit)) })
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !itsTurn(0, version, terminal) {
			return
		}
		h := newHost(t, version, terminal)
		work := h.workDir(t)
		x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Hello?", WorkDir: work}, func(standin.Request) standin.Reply {
			pids := agents(work)
			if len(pids) == 0 {
				t.Error("no agent was found")
			}
			for _, pid := range pids {
				got := unix.Rlimit{Cur: 1, Max: 1}
				if err := unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &got); err != nil || got != (unix.Rlimit{}) {
					t.Errorf("the limits of the agent's core file are %d and %d (%v)", got.Cur, got.Max, err)
				}
				unix.Kill(pid, unix.SIGSEGV)
			}
			return standin.Reply{Text: "too late", Delay: turnTimeout}
		})
		if x.err == nil {
			t.Error("the agent did not crash")
		}
		// A pattern with a directory or a pipe in it leads elsewhere, whatever we do.
		if strings.ContainsAny(string(pattern), "/|") {
			return
		}
		must(t, filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasPrefix(d.Name(), "core") {
				t.Errorf("a core file is left: %s", path)
			}
			return nil
		}))
	})
}

// agents are the agents that work in dir: leaders of a session with the token.
func agents(dir string) (pids []int) {
	for _, pid := range withVariable("CLAUDE_CODE_OAUTH_TOKEN=" + token) {
		sid, err := unix.Getsid(pid)
		cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		if err == nil && sid == pid && cwd == dir {
			pids = append(pids, pid)
		}
	}
	return pids
}
