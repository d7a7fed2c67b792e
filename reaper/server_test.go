package reaper_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/reaper"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// tmuxes are the tmux programs to test on: the one in PATH, and those that the
// environment variable TUITURN_TMUX_BINARIES lists, separated by colons.
func tmuxes(t *testing.T) []string {
	t.Helper()
	return append([]string{tmuxtest.Require(t)}, filepath.SplitList(os.Getenv("TUITURN_TMUX_BINARIES"))...)
}

// eachTmux runs a test once for each tmux program.
func eachTmux(t *testing.T, test func(t *testing.T, tmux string)) {
	for _, path := range tmuxes(t) {
		version, err := exec.CommandContext(t.Context(), path, "-V").Output()
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.ReplaceAll(strings.TrimSpace(string(version)), " ", "-"), func(t *testing.T) { test(t, path) })
	}
}

func newServer(t *testing.T, tmux string) *tmuxtest.Server {
	t.Helper()
	s := tmuxtest.New(t)
	s.Path = tmux
	// A program whose session is ended before it has its terminal is not hung up
	// on, and stays: twice in 8,000 races.
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		home := "HOME=" + filepath.Dir(s.Socket)
		if err := proc.End(ctx, proc.Target{Match: func(entry string) bool { return entry == home }}); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sessions starts a session for each name on a server of the test's own, and
// returns the server's pid.
func sessions(t *testing.T, s *tmuxtest.Server, names ...string) (pid int) {
	t.Helper()
	for _, name := range names {
		tmux(t, s, "new-session", "-d", "-s", name, "/bin/sleep", "1000")
	}
	if _, err := fmt.Sscan(tmux(t, s, "display-message", "-p", "#{pid}"), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

// tmux runs a command that must succeed.
func tmux(t *testing.T, s *tmuxtest.Server, args ...string) string {
	t.Helper()
	out, err := s.Tmux(t.Context(), args...)
	if err != nil {
		t.Fatalf("tmux %q: %v", args, err)
	}
	return string(out)
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
	t.Parallel()
	eachTmux(t, func(t *testing.T, path string) {
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
			{"one of ours with such a name", []string{"turn-1", "turn-' b #{x},}"}, true},
			{"a name that differs in case", []string{"turn-1", "TURN-2"}, false},
		} {
			t.Run(c.name, func(t *testing.T) {
				is := is.New(t)
				s := newServer(t, path)
				pid := sessions(t, s, c.sessions...)
				killed, err := reaper.KillServerIfOnlyOurs(t.Context(), s.Tmux, "turn-")
				is.NoErr(err)
				is.Equal(killed, c.want)
				is.Equal(alive(pid), !c.want) // gone on return, or untouched
				if !c.want {
					out := tmux(t, s, "list-sessions", "-F", "x")
					is.Equal(strings.Count(out, "x"), len(c.sessions)) // every session is still there
				}
			})
		}
	})
}

// More sessions than one command of an old tmux can name.
func TestManySessions(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newServer(t, tmuxtest.Require(t))
	pid := sessions(t, s, "turn-0")
	var args []string
	for i := range 230 {
		args = append(args, "new-session", "-d", "-s", fmt.Sprint("turn-", i+1), "/bin/sleep", "1000", ";")
	}
	tmux(t, s, args...)
	killed, err := reaper.KillServerIfOnlyOurs(t.Context(), old(t, s), "turn-")
	is.NoErr(err)
	is.True(killed)
	is.True(!alive(pid))
}

func TestNoServerIsNoError(t *testing.T) {
	t.Parallel()
	eachTmux(t, func(t *testing.T, path string) {
		is := is.New(t)
		s := newServer(t, path)
		killed, err := reaper.KillServerIfOnlyOurs(t.Context(), s.Tmux, "turn-")
		is.NoErr(err)
		is.True(!killed)

		// A socket that a killed server left behind.
		sessions(t, s, "turn-1")
		tmux(t, s, "kill-server")
		_, err = os.Stat(s.Socket)
		is.NoErr(err)
		killed, err = reaper.KillServerIfOnlyOurs(t.Context(), s.Tmux, "turn-")
		is.NoErr(err)
		is.True(!killed)
	})
}

// A server that does not end by itself either (exit-empty, tmux -D).
func TestServerThatOutlivesItsSessions(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newServer(t, tmuxtest.Require(t))
	pid := sessions(t, s, "turn-1")
	tmux(t, s, "set-option", "-s", "exit-empty", "off")
	killed, err := reaper.KillServerIfOnlyOurs(t.Context(), s.Tmux, "turn-")
	is.NoErr(err)
	is.True(killed)
	is.True(!alive(pid))
}

func TestServerWithoutSessionsIsLeftAlone(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newServer(t, tmuxtest.Require(t))
	pid := sessions(t, s, "turn-1")
	tmux(t, s, "set-option", "-s", "exit-empty", "off", ";", "kill-session", "-t", "=turn-1")
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

// old is a tmux that has no #{S:…}: it expands to nothing.
func old(t *testing.T, s *tmuxtest.Server) reaper.Tmux {
	return func(ctx context.Context, args ...string) ([]byte, error) {
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "#{S:x}", "")
			if strings.Contains(args[i], "#{S:") {
				t.Errorf("an old tmux would not understand %q", args[i])
			}
		}
		return s.Tmux(ctx, args...)
	}
}

func TestServerThatCannotDecide(t *testing.T) {
	t.Parallel()
	for _, foreign := range []bool{false, true} {
		t.Run(fmt.Sprint("foreign session ", foreign), func(t *testing.T) {
			is := is.New(t)
			s := newServer(t, tmuxtest.Require(t))
			names := []string{"turn-1", "turn-2"}
			if foreign {
				names = append(names, "work")
			}
			pid := sessions(t, s, names...)
			killed, err := reaper.KillServerIfOnlyOurs(t.Context(), old(t, s), "turn-")
			is.NoErr(err)
			is.Equal(killed, !foreign)
			is.Equal(alive(pid), foreign)
		})
	}
}

// rounds is how often a race is run.
func rounds() int {
	if os.Getenv("TUITURN_LONG") != "" {
		return 1000
	}
	return 24
}

// A foreign session that comes while the server is asked is never lost: where
// its creator is told that it was made it is there, and where not, nothing of
// the old server is left.
func TestForeignSessionCreatedMeanwhileIsNotLost(t *testing.T) {
	t.Parallel()
	eachTmux(t, func(t *testing.T, path string) {
		for _, loops := range []bool{true, false} {
			t.Run(fmt.Sprint("the server decides ", loops), func(t *testing.T) {
				t.Parallel()
				spared, refused, fresh := 0, 0, 0
				for i := range rounds() {
					t.Run("round", func(t *testing.T) {
						is := is.New(t)
						s := newServer(t, path)
						pid := sessions(t, s, "turn-1", "turn-2")
						run := s.Tmux
						if !loops {
							run = old(t, s)
						}
						var made error
						var wg sync.WaitGroup
						wg.Go(func() {
							time.Sleep(time.Duration(i%24) * 800 * time.Microsecond) // before, while and after
							_, made = s.Tmux(t.Context(), "new-session", "-d", "-s", "work", "/bin/sleep", "1000")
						})
						killed, err := reaper.KillServerIfOnlyOurs(t.Context(), run, "turn-")
						wg.Wait()
						is.NoErr(err)
						is.Equal(alive(pid), !killed)
						if made == nil {
							tmux(t, s, "has-session", "-t", "=work") // it was said to be made
						}
						switch {
						case !killed:
							is.NoErr(made)
							spared++
						case made != nil:
							refused++
						default:
							fresh++ // on a server of its own
						}
					})
				}
				t.Logf("of %d servers %d stayed; %d creators were told, %d got a server of their own", rounds(), spared, refused, fresh)
			})
		}
	})
}

// A kill-server of somebody else's that meets a new session may wedge a server:
// it refuses every client, and lives.
func TestWedgedServerIsEnded(t *testing.T) {
	t.Parallel()
	eachTmux(t, func(t *testing.T, path string) {
		wedged, rounds := 0, rounds()/6 // each takes endWait
		for range rounds {
			t.Run("round", func(t *testing.T) {
				is := is.New(t)
				s := newServer(t, path)
				pid := sessions(t, s, "turn-1")
				run := func(ctx context.Context, args ...string) ([]byte, error) {
					if args[0] == "if-shell" {
						var both sync.WaitGroup
						both.Go(func() { s.Tmux(ctx, "new-session", "-d", "-s", "turn-2", "/bin/sleep", "1000") })
						both.Go(func() { s.Tmux(ctx, "kill-server") })
						both.Wait()
					}
					out, err := s.Tmux(ctx, args...)
					if args[0] == "if-shell" && err != nil && alive(pid) {
						wedged++
					}
					return out, err
				}
				killed, err := reaper.KillServerIfOnlyOurs(t.Context(), run, "turn-")
				is.NoErr(err)
				is.True(killed)
				is.True(!alive(pid))
			})
		}
		t.Logf("%d of %d servers refused clients and lived", wedged, rounds)
	})
}

// Between the look and the end another server may take the socket, with sessions
// of the same names and ids.
func TestTheServerThatCameAfterIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, loops := range []bool{true, false} {
		t.Run(fmt.Sprint("the server decides ", loops), func(t *testing.T) {
			is := is.New(t)
			s := newServer(t, tmuxtest.Require(t))
			first := sessions(t, s, "turn-1")
			second := 0
			ask := s.Tmux
			if !loops {
				ask = old(t, s)
			}
			run := func(ctx context.Context, args ...string) ([]byte, error) {
				if args[0] == "if-shell" {
					tmux(t, s, "kill-server")
					eventually(t, "the server's end", func() bool { return !alive(first) })
					second = sessions(t, s, "turn-1")
				}
				return ask(ctx, args...)
			}
			killed, err := reaper.KillServerIfOnlyOurs(t.Context(), run, "turn-")
			is.NoErr(err)
			is.True(killed) // the one that was asked
			is.True(alive(second))
			tmux(t, s, "has-session", "-t", "=turn-1")
		})
	}
}

// Between the look and the end a session may end by itself.
func TestASessionThatEndsMeanwhile(t *testing.T) {
	t.Parallel()
	eachTmux(t, func(t *testing.T, path string) {
		for _, loops := range []bool{true, false} {
			t.Run(fmt.Sprint("the server decides ", loops), func(t *testing.T) {
				is := is.New(t)
				s := newServer(t, path)
				pid := sessions(t, s, "turn-1", "turn-2", "turn-3")
				next := 1
				ask := s.Tmux
				if !loops {
					ask = old(t, s)
				}
				run := func(ctx context.Context, args ...string) ([]byte, error) {
					if args[0] == "if-shell" && next < 3 {
						tmux(t, s, "kill-session", "-t", fmt.Sprint("=turn-", next))
						next++
					}
					return ask(ctx, args...)
				}
				killed, err := reaper.KillServerIfOnlyOurs(t.Context(), run, "turn-")
				is.NoErr(err)
				is.True(killed)
				is.True(!alive(pid))
				is.Equal(next, 3) // two attempts failed
			})
		}
	})
}

func TestStoppedServerIsBoundedByTheContext(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newServer(t, tmuxtest.Require(t))
	pid := sessions(t, s, "turn-1")
	is.NoErr(syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	killed, err := reaper.KillServerIfOnlyOurs(ctx, s.Tmux, "turn-")
	is.True(err != nil)
	is.True(!killed)
	is.True(time.Since(began) < 2*time.Minute)
}
