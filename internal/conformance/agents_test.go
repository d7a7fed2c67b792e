package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

var terminals = []tuiturn.TerminalKind{tuiturn.Tmux, tuiturn.Pty}

func versions() []string {
	if chosen := os.Getenv("TUITURN_AGENT_VERSIONS"); chosen != "" {
		return strings.Split(chosen, ",")
	}
	return tuiturn.Claude{}.Tested()
}

// long tells whether time does not matter.
func long() bool { return os.Getenv("TUITURN_LONG") != "" }

// itsTurn tells whether case number i of a version belongs to the terminal, where
// one is enough.
func itsTurn(i int, version string, terminal tuiturn.TerminalKind) bool {
	return long() || terminals[(i+slices.Index(versions(), version))%len(terminals)] == terminal
}

// oneVersion tells whether case number i belongs to the version, where one is
// enough unless time does not matter.
func oneVersion(i int, version string) bool {
	return long() || i%len(versions()) == slices.Index(versions(), version)
}

// twoVersions tells whether case number i belongs to the version, where two of
// them are enough unless time does not matter.
func twoVersions(i int, version string) bool {
	return long() || len(versions()) < 3 || i%len(versions()) != slices.Index(versions(), version)
}

// needAgents skips the test where no agents are installed.
func needAgents(t *testing.T) {
	t.Helper()
	if os.Getenv("TUITURN_AGENTS") == "" {
		t.Skip("no agents: name the directory that they are installed in, as the package's documentation says, in TUITURN_AGENTS")
	}
}

// needTmux skips or fails the test where the terminal needs tmux and there is none.
func needTmux(t *testing.T, terminal tuiturn.TerminalKind) {
	t.Helper()
	if terminal == tuiturn.Tmux {
		tmuxtest.Require(t)
	}
}

// agentPath is the agent of one version.
func agentPath(t *testing.T, version string) string {
	t.Helper()
	path, err := exec.LookPath(filepath.Join(os.Getenv("TUITURN_AGENTS"), version, "node_modules", ".bin", "claude"))
	if err != nil {
		t.Fatalf("%v: npm install --prefix $TUITURN_AGENTS/%s @anthropic-ai/claude-code@%[2]s", err, version)
	}
	return path
}

// forEach runs f as the parallel subtest VERSION/TERMINAL, for every version
// over every terminal.
func forEach(t *testing.T, f func(t *testing.T, version string, terminal tuiturn.TerminalKind)) {
	t.Helper()
	needAgents(t)
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			agentPath(t, version)
			for _, terminal := range terminals {
				t.Run(string(terminal), func(t *testing.T) {
					t.Parallel()
					needTmux(t, terminal)
					f(t, version, terminal)
				})
			}
		})
	}
}
