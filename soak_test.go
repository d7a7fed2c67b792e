package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// A mishap is how an agent behaves in a turn of the soak.
type mishap struct {
	script fakeagent.Script
	cancel bool // somebody gives up at a random time
}

var mishaps = func() (all []mishap) {
	ends := func(at fakeagent.Stage, status int, sig syscall.Signal) fakeagent.Script {
		end := &fakeagent.End{At: at, Status: status, Signal: int(sig)}
		if at == fakeagent.AtBoot || at == fakeagent.AtReady {
			return fakeagent.Script{End: end}
		}
		return answers(fakeagent.Turn{End: end})
	}
	for _, at := range []fakeagent.Stage{fakeagent.AtBoot, fakeagent.AtReady, fakeagent.AtSubmit, fakeagent.AtReceipt, fakeagent.AtHalf, fakeagent.AtAnswer} {
		all = append(all, mishap{script: ends(at, 7, 0)}, mishap{script: ends(at, 0, syscall.SIGSEGV)}, mishap{script: ends(at, 0, syscall.SIGKILL)})
	}
	children := []fakeagent.Child{fakeagent.ChildPlain, fakeagent.ChildStubborn, fakeagent.ChildSession, fakeagent.ChildBackground}
	for range 6 {
		all = append(all, mishap{}, mishap{cancel: true}) // nothing happens
	}
	return append(all,
		mishap{script: ends(fakeagent.AtReceipt, 0, syscall.SIGSTOP), cancel: true},
		mishap{script: answers(fakeagent.Turn{Hang: true}), cancel: true},
		mishap{script: fakeagent.Script{BootDelay: time.Minute}, cancel: true},
		mishap{script: fakeagent.Script{DeafDelay: time.Minute}, cancel: true},
		mishap{script: answers(fakeagent.Turn{UnknownDialog: true})},
		mishap{script: answers(fakeagent.Turn{Tool: &fakeagent.Tool{Ask: true}})},
		mishap{script: answers(fakeagent.Turn{APIError: &fakeagent.APIError{Status: 401}})},
		mishap{script: fakeagent.Script{Children: children, Litter: true}},
		mishap{script: answers(fakeagent.Turn{Children: children})},
		mishap{script: fakeagent.Script{IgnoreHangup: true, IgnoreTerm: true, Children: children}},
		mishap{script: fakeagent.Script{IgnoreHangup: true, IgnoreTerm: true, Turns: []fakeagent.Turn{{Hang: true}}}, cancel: true},
	)
}()

// TestSoak runs turns under random mishaps, from a pool whose agents meet them too
// and with limits that change, while somebody ends, stops or robs the tmux
// server, and looks afterwards for whatever is left. A foreign session,
// on a server of its own or on the same, sees nothing of it. 16 turns each way,
// or 700 (2,800 in all) with TUITURN_LONG.
func TestSoak(t *testing.T) {
	turns := 16
	if os.Getenv("TUITURN_LONG") != "" {
		turns = 700
	}
	for _, c := range []struct {
		name   string
		on     setting
		shared bool
	}{
		{"tmux", setting{kind: Tmux}, false},
		{"shared tmux", setting{kind: Tmux}, true},
		{"pty", setting{kind: Pty}, false},
		{"rollout", setting{Pty, fakeagent.AtSubmit}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var foreign foreignSession
			var socket string
			if c.on.kind == Tmux {
				foreign = newForeignSession(t)
			}
			if c.shared {
				socket = foreign.server.Socket
			}
			files, goroutines := descriptors(), runtime.NumGoroutine()
			t.Run("turns", func(t *testing.T) { soak(t, c.on, socket, turns) })
			if !eventually(func() bool { return descriptors() <= files && runtime.NumGoroutine() <= goroutines }) {
				t.Errorf("%d descriptors and %d goroutines, there were %d and %d", descriptors(), runtime.NumGoroutine(), files, goroutines)
			}
			if c.on.kind == Tmux {
				foreign.check(t)
			}
		})
	}
}

func soak(t *testing.T, on setting, socket string, turns int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := on.newStage(t, fakeagent.Script{})
	s.TmuxSocket = socket
	s.Pool = Pool{Size: 2, Total: 5}
	s.Limits = Limits{Turns: 5, Waiting: 6}
	var answered, failed atomic.Int64
	next := make(chan *rand.Rand)
	var workers sync.WaitGroup
	for range 6 {
		workers.Go(func() {
			for rnd := range next {
				m := mishaps[rnd.IntN(len(mishaps))]
				ctx, cancel := context.WithCancel(t.Context())
				if m.cancel {
					time.AfterFunc(time.Duration(rnd.Int64N(int64(1500*time.Millisecond))), cancel)
				}
				m.script.Rollout = on.rollout
				req := Request{Prompt: fmt.Sprint("What is ", rnd.Uint64(), "?"), Env: m.script.Environ()}
				var streamed strings.Builder
				if rnd.IntN(4) == 0 {
					req.OnDelta = func(d Delta) { streamed.WriteString(d.Text) }
				}
				if rnd.IntN(10) == 0 {
					s.SetLimits(Limits{Turns: 1 + rnd.IntN(6), Waiting: 6})
				}
				prompt := req.Prompt
				res, err := s.turn(ctx, req)
				cancel()
				if err == nil && req.OnDelta != nil && streamed.String() != res.Text {
					t.Errorf("streamed %q, the answer is %q", streamed.String(), res.Text)
				}
				switch {
				case err != nil:
					failed.Add(1)
				case res.Text != "You said: "+prompt:
					t.Errorf("the answer is %q", res.Text)
				default:
					answered.Add(1)
				}
			}
		})
	}
	over, vandals := make(chan struct{}), sync.WaitGroup{}
	if on.kind == Tmux {
		vandals.Go(func() { vandalise(s, rand.New(rand.NewPCG(seed, 1)), over) })
	}
	for n := range turns {
		next <- rand.New(rand.NewPCG(seed, uint64(n+2)))
	}
	close(next)
	workers.Wait()
	close(over)
	vandals.Wait()
	stats := s.Stats()
	t.Logf("%d turns answered, %d failed; %+v", answered.Load(), failed.Load(), stats)
	ended := int64(0)
	for _, n := range stats.Turns {
		ended += n
	}
	if ended != int64(turns) || stats.Turns["answer"] != answered.Load() || stats.Running+stats.Waiting > 0 {
		t.Errorf("%d turns were run, counted are %+v", turns, stats)
	}

	id := s.place.Lease.ID()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if pids := carrying(id); len(pids) > 0 {
		t.Errorf("processes of the Runner are left: %v", pids)
	}
}

// Closed in the middle, a Runner ends what runs, what waits and what stands ready,
// and each turn ends once.
func TestCloseInTheMiddle(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		for range 2 {
			s := on.newStage(t, fakeagent.Script{})
			s.Pool, s.Limits = Pool{Size: 2}, Limits{Turns: 4}
			var turns sync.WaitGroup
			for n := range 12 {
				turns.Go(func() {
					prompt := fmt.Sprint("number ", n)
					res, err := s.turn(t.Context(), Request{Prompt: prompt})
					switch {
					case errors.Is(err, ErrClosed):
					case err != nil || res.Text != "You said: "+prompt:
						t.Errorf("%s: %q, %v", prompt, res.Text, err)
					}
				})
			}
			time.Sleep(time.Duration(rand.Int64N(int64(time.Second))))
			s.mu.Lock()
			place := s.place
			s.mu.Unlock()
			var closing sync.WaitGroup
			for range 2 {
				closing.Go(func() {
					if err := s.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
					if place == nil {
						return // closed before it began
					}
					if pids := carrying(place.Lease.ID()); len(pids) > 0 {
						t.Errorf("processes of the Runner are left: %v", pids)
					}
				})
			}
			closing.Wait()
			turns.Wait()
		}
	})
}

// vandalise does to the tmux server what can happen to one.
func vandalise(s *stage, rnd *rand.Rand, over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(rnd.Int64N(int64(4 * time.Second)))):
		}
		s.mu.Lock()
		place := s.place
		s.mu.Unlock()
		if place == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		out, err := place.Tmux.Run(ctx, "display-message", "-p", "#{pid}")
		cancel()
		pid, _ := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil || pid <= 1 {
			continue // none runs
		}
		harm := rnd.IntN(4)
		if s.TmuxSocket != "" {
			harm = 2 // what else happens to it is its owner's doing
		}
		switch harm {
		case 0:
			syscall.Kill(pid, syscall.SIGKILL)
		case 1:
			syscall.Kill(pid, syscall.SIGTERM)
		case 2:
			syscall.Kill(pid, syscall.SIGSTOP)
			time.Sleep(500 * time.Millisecond)
			syscall.Kill(pid, syscall.SIGCONT)
		case 3:
			os.Remove(place.Tmux.Socket())
		}
	}
}

// carrying are the processes whose environment holds text, a mark or part of one.
func carrying(text string) (pids []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		if env, err := os.ReadFile(file); err == nil && strings.Contains(string(env), text) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// descriptors is how many this process has open.
func descriptors() int {
	fds, _ := os.ReadDir("/dev/fd")
	return len(fds)
}

// A foreignSession is somebody else's, on a server of its own.
type foreignSession struct {
	server *tmuxtest.Server
	state  string
}

func newForeignSession(t *testing.T) foreignSession {
	t.Helper()
	f := foreignSession{server: tmuxtest.New(t)}
	_, err := f.server.Tmux(t.Context(), "new-session", "-d", "-s", "turn-of-somebody-else", "/bin/sh", "-c", "read x")
	is.New(t).NoErr(err)
	f.state = f.look(t)
	return f
}

func (f foreignSession) look(t *testing.T) string {
	out, err := f.server.Tmux(t.Context(), "list-panes", "-a", "-F", "#{pid} #{session_id} #{session_name} #{pane_pid} #{pane_dead} #{session_created}")
	is.New(t).NoErr(err)
	return string(out)
}

// check tells whether it is as it was.
func (f foreignSession) check(t *testing.T) {
	t.Helper()
	is.New(t).Equal(f.look(t), f.state)
}
