// Package conformance runs whole turns with real agents: every version that the
// module is checked against, over tmux and over a plain pty, with a stand-in for
// the model's service on loopback. It has no code outside its tests.
//
// The agents are not part of the module. Install them once,
//
//	for v in 2.1.104 2.1.158 2.1.332; do
//		npm install --prefix DIR/$v @anthropic-ai/claude-code@$v
//	done
//
// and name DIR, an absolute path, in TUITURN_AGENTS; without it every test here is
// skipped. With it a version that is missing is a failure. Further variables:
//
//	TUITURN_AGENT_VERSIONS  the versions to run, "2.1.158,2.1.332"
//	TUITURN_REQUIRE_TMUX=1  fail instead of skipping where tmux is missing
//	TUITURN_LONG=1          all cases on both terminals, and more turns where a
//	                        test repeats them
//
// A test sees nothing of the machine but PATH: homes, working directories and
// temporary directories are its own, and after each of them the suite looks for
// processes and files that a turn has left behind.
package conformance

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/tuiturn/tuiturn/internal/lease"
)

func TestMain(m *testing.M) {
	if os.Getenv(mcpServer) != "" {
		serveMCP()
		return
	}
	// A turn waits about as long as it computes, so four keep two cores busy.
	// The command line still wins: it is read later.
	flag.Set("test.parallel", fmt.Sprint(max(4, runtime.GOMAXPROCS(0))))
	// The machine has other hosts, also dead ones: their leftovers are not a
	// test's to end.
	lease.Apart()
	lease.Considered = lease.NoOrphans
	// What a host's own environment holds must not be what the agents get.
	os.Setenv("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-dummy-of-the-host")
	os.Setenv("ANTHROPIC_API_KEY", "sk-ant-api03-dummy-of-the-host")
	status := m.Run()
	if left := children(os.Getpid()); len(left) > 0 {
		fmt.Fprintln(os.Stderr, "processes left behind by the tests:", left)
		status = max(status, 1)
	}
	os.Exit(status)
}
