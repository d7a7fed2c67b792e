package reaper_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/reaper"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// sessions starts a session for each name on a server of the test's own, and
// returns the server's pid.
func sessions(t *testing.T, s *tmuxtest.Server, names ...string) (pid int) {
	t.Helper()
	for _, name := range names {
		if _, err := s.Tmux(t.Context(), "new-session", "-d", "-s", name, "/bin/sleep", "1000"); err != nil {
			t.Fatal(err)
		}
	}
	out, err := s.Tmux(t.Context(), "display-message", "-p", "#{pid}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(out), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

// alive tells whether pid runs. A zombie does not: whoever is its parent here
// may never wait for it.
func alive(pid int) bool {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		return !strings.Contains(string(stat), ") Z ")
	}
	return syscall.Kill(pid, 0) == nil
}

func TestKillServerIfOnlyOurs(t *testing.T) {
	for _, c := range []struct {
		name     string
		sessions []string
		want     bool
	}{
		{"one of ours", []string{"turn-1"}, true},
		{"many of ours", []string{"turn-1", "turn-2", "turn-10"}, true},
		{"a foreign one among ours", []string{"turn-1", "mine", "turn-2"}, false},
		{"only a foreign one", []string{"work"}, false},
		{"a name that holds the prefix further on", []string{"turn-1", "my-turn-1"}, false},
		{"a name that is the prefix cut short", []string{"turn-1", "turn"}, false},
		{"a name with spaces and format characters", []string{"turn-1", "a b #{x},}"}, false},
		{"a name that differs in case", []string{"turn-1", "TURN-2"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			s := tmuxtest.New(t)
			pid := sessions(t, s, c.sessions...)
			killed, err := reaper.KillServerIfOnlyOurs(t.Context(), s.Tmux, "turn-")
			is.NoErr(err)
			is.Equal(killed, c.want)
			is.Equal(alive(pid), !c.want) // gone on return, or untouched
			if !c.want {
				out, err := s.Tmux(t.Context(), "list-sessions", "-F", "x")
				is.NoErr(err)
				is.Equal(strings.Count(string(out), "x"), len(c.sessions)) // every session is still there
			}
		})
	}
}

func TestNoServerIsNoError(t *testing.T) {
	is := is.New(t)
	s := tmuxtest.New(t)
	killed, err := reaper.KillServerIfOnlyOurs(t.Context(), s.Tmux, "turn-")
	is.NoErr(err)
	is.True(!killed)

	// A socket that a killed server left behind.
	sessions(t, s, "turn-1")
	_, err = s.Tmux(t.Context(), "kill-server")
	is.NoErr(err)
	_, err = os.Stat(s.Socket)
	is.NoErr(err)
	killed, err = reaper.KillServerIfOnlyOurs(t.Context(), s.Tmux, "turn-")
	is.NoErr(err)
	is.True(!killed)
}

func TestServerWithoutSessionsIsLeftAlone(t *testing.T) {
	is := is.New(t)
	s := tmuxtest.New(t)
	pid := sessions(t, s, "turn-1")
	_, err := s.Tmux(t.Context(), "set-option", "-s", "exit-empty", "off", ";", "kill-session", "-t", "=turn-1")
	is.NoErr(err)
	killed, err := reaper.KillServerIfOnlyOurs(t.Context(), s.Tmux, "turn-")
	is.NoErr(err)
	is.True(!killed)
	is.True(alive(pid))
}

func TestPrefixMustBePlain(t *testing.T) {
	for _, prefix := range []string{"", "*", "turn*", "a b", "#{x}", "a,b", "a}", "ä", "a.b", "a:b"} {
		_, err := reaper.KillServerIfOnlyOurs(t.Context(), func(context.Context, ...string) ([]byte, error) {
			t.Errorf("prefix %q reached tmux", prefix)
			return nil, errors.New("unreachable")
		}, prefix)
		if err == nil {
			t.Errorf("prefix %q was accepted", prefix)
		}
	}
}

func TestTmuxThatFailsIsReported(t *testing.T) {
	is := is.New(t)
	boom := errors.New("boom")
	killed, err := reaper.KillServerIfOnlyOurs(t.Context(), func(context.Context, ...string) ([]byte, error) {
		return nil, boom
	}, "turn-")
	is.True(!killed)
	is.True(errors.Is(err, boom))
}

// An old tmux has no #{S:…}: it expands to nothing.
func TestServerThatCannotDecide(t *testing.T) {
	for _, foreign := range []bool{false, true} {
		t.Run(fmt.Sprint("foreign session ", foreign), func(t *testing.T) {
			is := is.New(t)
			s := tmuxtest.New(t)
			names := []string{"turn-1"}
			if foreign {
				names = append(names, "work")
			}
			pid := sessions(t, s, names...)
			old := func(ctx context.Context, args ...string) ([]byte, error) {
				for i := range args {
					args[i] = strings.ReplaceAll(args[i], "#{S:x}", "")
				}
				is.True(args[0] != "if-shell") // an old one would not understand the condition
				return s.Tmux(ctx, args...)
			}
			killed, err := reaper.KillServerIfOnlyOurs(t.Context(), old, "turn-")
			is.NoErr(err)
			is.Equal(killed, !foreign)
			is.Equal(alive(pid), foreign)
		})
	}
}

// A foreign session that comes while the server is asked is never lost: either
// it saves the server, or its creator is told that there is none, or it is on
// the server that came after.
func TestForeignSessionCreatedMeanwhileIsNotLost(t *testing.T) {
	const rounds = 40
	is := is.New(t)
	spared := 0
	for range rounds {
		s := tmuxtest.New(t)
		pid := sessions(t, s, "turn-1")
		var made error
		var wg sync.WaitGroup
		wg.Go(func() {
			_, made = s.Tmux(t.Context(), "new-session", "-d", "-s", "work", "/bin/sleep", "1000")
		})
		killed, err := reaper.KillServerIfOnlyOurs(t.Context(), s.Tmux, "turn-")
		wg.Wait()
		is.NoErr(err)
		if killed {
			is.True(!alive(pid))
			continue
		}
		spared++
		is.NoErr(made)
		_, err = s.Tmux(t.Context(), "has-session", "-t", "=work")
		is.NoErr(err)
	}
	t.Logf("%d of %d servers were spared", spared, rounds)
}

func TestStoppedServerIsBoundedByTheContext(t *testing.T) {
	is := is.New(t)
	s := tmuxtest.New(t)
	pid := sessions(t, s, "turn-1")
	is.NoErr(syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	killed, err := reaper.KillServerIfOnlyOurs(ctx, s.Tmux, "turn-")
	is.True(err != nil)
	is.True(!killed)
	is.True(time.Since(began) < 5*time.Second)
}
