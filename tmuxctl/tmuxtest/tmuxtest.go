package tmuxtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn/internal/command"
)

// A Server is a private tmux server on a socket that no one else knows. It runs
// while it has a session, reads no configuration, inherits nothing from the
// environment, and is ended with the test.
type Server struct {
	// Path is the tmux program, Socket the server's socket.
	Path, Socket string
}

// Require returns the path of tmux. Where tmux is missing the test is skipped, or
// fails if the environment variable TUITURN_REQUIRE_TMUX is set.
func Require(t testing.TB) string {
	t.Helper()
	os.Getenv(binaries) // in a test: go test then knows what its cached result depends on
	path, err := exec.LookPath("tmux")
	if err != nil {
		if os.Getenv("TUITURN_REQUIRE_TMUX") != "" {
			t.Fatalf("tmux is required here: %v", err)
		}
		t.Skip("tmux is not installed")
	}
	return path
}

const binaries = "TUITURN_TMUX_BINARIES"

// Each makes a TestMain run its tests several times: with the tmux in PATH, and then
// with each tmux that the environment variable TUITURN_TMUX_BINARIES lists, in the
// form of PATH. [Require] and a lookup in PATH return the tmux of the current run.
//
//	func TestMain(m *testing.M) { os.Exit(tmuxtest.Each(m).Run()) }
func Each(m interface{ Run() int }) interface{ Run() int } { return each{m} }

type each struct{ m interface{ Run() int } }

func (e each) Run() int {
	code := e.m.Run()
	path := os.Getenv("PATH")
	for _, tmux := range filepath.SplitList(os.Getenv(binaries)) {
		fmt.Println("=== with", tmux)
		dir, err := os.MkdirTemp("", "tt-")
		if err == nil {
			defer os.RemoveAll(dir)
			err = os.Symlink(tmux, filepath.Join(dir, "tmux"))
		}
		if err == nil {
			err = exec.Command(tmux, "-V").Run()
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", binaries, err)
			return 1
		}
		os.Setenv("PATH", dir+string(filepath.ListSeparator)+path)
		code = max(code, e.m.Run())
	}
	os.Setenv("PATH", path)
	return code
}

// New returns a server for the test. Where tmux is missing the test is skipped (see
// [Require]). The server starts with the first new-session.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{Path: Require(t)}
	// Not t.TempDir(): with the test's name in it a socket's path grows past
	// the 104 bytes that macOS allows.
	dir, err := os.MkdirTemp("", "tt-")
	if err != nil {
		t.Fatal(err)
	}
	s.Socket = filepath.Join(dir, "s")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.Tmux(ctx, "kill-server")
		os.RemoveAll(dir)
	})
	return s
}

// Tmux runs one tmux command on the server and returns its standard output. An
// error from tmux is an *exec.ExitError with the standard error in it.
func (s *Server) Tmux(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.Path, append([]string{"-u", "-f", "/dev/null", "-S", s.Socket}, args...)...)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + filepath.Dir(s.Socket)}
	cmd.Dir = filepath.Dir(s.Socket)
	out, _, err := command.Output(cmd) // a server that is stopped keeps the client's pipes open
	return out, err
}
