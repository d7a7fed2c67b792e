package tmuxctl_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/exectest"
	"github.com/tuiturn/tuiturn/tmuxctl"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

func TestTheKeeperIsInNobodysWay(t *testing.T) {
	is := is.New(t)
	s := newServer(t)
	cfg := script("turn", "stty size; exec sleep 60")
	cfg.Cols, cfg.Rows = 33, 7
	x := open(t, s, cfg)
	see(t, x, "7 33")
	names, err := s.Sessions(t.Context())
	is.NoErr(err)
	is.Equal(names, []string{"turn"})
	is.Equal(len(zombies(serverPid(t, s))), 0)

	shut(t, x)
	names, err = s.Sessions(t.Context())
	is.NoErr(err)
	is.Equal(len(names), 0)
	all, err := s.Run(t.Context(), "list-sessions", "-F", "#{session_name} #{session_windows}")
	is.NoErr(err)
	is.Equal(string(all), "(tuiturn) 1\n")
	socket := s.Socket()
	is.True(socket != "") // a server without sessions stays
	open(t, s, script("turn", "exec sleep 60"))
	is.Equal(s.Socket(), socket)
}

// Where tmux does not know control mode, or refuses it, all is done by
// processes.
func TestConformanceWithoutControlMode(t *testing.T) {
	t.Parallel()
	tmux := tmuxtest.Require(t)
	without := filepath.Join(t.TempDir(), "tmux")
	text := fmt.Sprintf("#!/bin/sh\ncase \" $* \" in *' -C '*) exit 1; esac\nexec '%s' \"$@\"\n", tmux)
	exectest.Write(t, without, text)
	s := &tmuxctl.Server{Tmux: without, TempDir: shortDir(t)}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	conform(t, s)
	for _, line := range commandLines(filepath.Dir(s.Socket())) {
		if strings.Contains(line, " -C ") {
			t.Errorf("there is a control client: %s", line)
		}
	}
}
