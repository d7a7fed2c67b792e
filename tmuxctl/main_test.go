package tmuxctl_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/internal/terminal/terminaltest"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// tellArg makes the test binary the helper that writes what it was given, its
// arguments, environment and directory, to the file named next.
const tellArg = "tmuxctl-test-tell"

func TestMain(m *testing.M) {
	lease.Apart()
	if len(os.Args) > 2 && os.Args[1] == tellArg {
		tell(os.Args[2], os.Args[3:])
	}
	if len(os.Args) == 6 && os.Args[1] == shareArg {
		share(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	}
	lease.Considered = lease.NoOrphans
	// The tests wait most of the time. The command line still wins: it is read
	// later.
	flag.Set("test.parallel", fmt.Sprint(max(4, runtime.GOMAXPROCS(0))))
	terminaltest.Main(tmuxtest.Each(m))
}

func tell(path string, args []string) {
	dir, _ := os.Getwd()
	parts := []string{strings.Join(args, "\x00\x00"), strings.Join(os.Environ(), "\x00\x00"), dir}
	if err := os.WriteFile(path, []byte(strings.Join(parts, "\x00\x01\x00")), 0o600); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

func parseTold(told []byte) (args, env []string, dir string) {
	part := bytes.Split(told, []byte("\x00\x01\x00"))
	return strings.Split(string(part[0]), "\x00\x00"), strings.Split(string(part[1]), "\x00\x00"), string(part[2])
}
