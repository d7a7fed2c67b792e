package tmuxtest_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

func TestTheServerEndsWithTheTest(t *testing.T) {
	is := is.New(t)
	var socket string
	t.Run("a test", func(t *testing.T) {
		is := is.New(t)
		s := tmuxtest.New(t)
		socket = s.Socket
		_, err := s.Tmux(t.Context(), "new-session", "-d", "-s", "one", "sleep", "60")
		is.NoErr(err)
		out, err := s.Tmux(t.Context(), "list-sessions", "-F", "#{session_name}")
		is.NoErr(err)
		is.Equal(string(out), "one\n")
		_, err = s.Tmux(t.Context(), "kill-session", "-t", "=two")
		is.True(err != nil)
	})
	if socket == "" {
		t.Skip("tmux is not installed")
	}
	_, err := net.Dial("unix", socket)
	is.True(err != nil)
	_, err = os.Stat(filepath.Dir(socket))
	is.True(os.IsNotExist(err))
}

// recorder is a test that notes how it ended.
type recorder struct {
	testing.TB
	skipped, failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Skip(...any)           { r.skipped = true; runtime.Goexit() }
func (r *recorder) Fatalf(string, ...any) { r.failed = true; runtime.Goexit() }

func TestRequireWithoutTmux(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for required, want := range map[string]recorder{"": {skipped: true}, "1": {failed: true}} {
		is := is.New(t)
		t.Setenv("TUITURN_REQUIRE_TMUX", required)
		var got recorder
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			tmuxtest.Require(&got)
		}()
		<-ended
		is.Equal(got, want) // TUITURN_REQUIRE_TMUX=required
	}
}
