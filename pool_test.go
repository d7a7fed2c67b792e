package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/internal/proc"
)

// pooled is a stage with a pool.
func pooled(t *testing.T, on setting, script fakeagent.Script, pool Pool) *stage {
	s := on.newStage(t, script)
	s.Pool = pool
	return s
}

func (s *stage) warm(req Request) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if req.WorkDir == "" {
		req.WorkDir = s.work
	}
	return s.Warm(ctx, req)
}

// ready waits until n agents stand ready and nothing is left to do.
func (s *stage) ready(n int) bool {
	return eventually(func() bool { return s.Stats().Pool.Ready == n })
}

func TestPool(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := pooled(t, on, fakeagent.Script{}, Pool{Size: 2})

		cold, err := s.turn(t.Context(), Request{Prompt: "first"})
		is.NoErr(err)
		is.Equal(cold.Text, "You said: first")
		is.True(!cold.Warm) // and it has not waited for one

		sessions := map[string]bool{cold.SessionID: true}
		for i := range 4 {
			is.NoErr(s.warm(Request{}))
			prompt := fmt.Sprint("number ", i)
			res, err := s.turn(t.Context(), Request{Prompt: prompt})
			is.NoErr(err)
			is.Equal(res.Text, "You said: "+prompt)
			is.True(res.Warm)
			is.True(!sessions[res.SessionID]) // an agent takes one prompt
			sessions[res.SessionID] = true
		}
		is.True(s.ready(2))
		stats := s.Stats().Pool
		is.Equal(stats.Hits, int64(4))
		is.Equal(stats.Misses, int64(1))
		is.Equal(stats.BootFailures, int64(0))
	})
}

// A request that differs in what is fixed at the start gets another agent.
func TestPoolKinds(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := pooled(t, setting{kind: Pty}, fakeagent.Script{}, Pool{Size: 2, Total: 3})
	other := filepath.Join(s.work, "other")
	is.NoErr(os.Mkdir(other, 0o700))

	is.NoErr(s.warm(Request{Model: "a"}))
	is.True(s.ready(2))
	is.NoErr(s.warm(Request{Model: "b"})) // takes a share from the first
	is.True(s.ready(3))
	is.NoErr(s.warm(Request{Model: "b", WorkDir: other}))
	is.True(s.ready(3))

	for _, req := range []Request{{Model: "a"}, {Model: "b"}, {Model: "b", WorkDir: other}} {
		req.Prompt = "hello"
		res, err := s.turn(t.Context(), req)
		is.NoErr(err)
		is.True(res.Warm)
		is.Equal(res.Model, req.Model)
	}
	res, err := s.turn(t.Context(), Request{Prompt: "hello", Model: "a", OnDelta: func(Delta) {}})
	is.NoErr(err)
	is.True(!res.Warm)
}

// An agent that dies while it waits is noticed, and one that stopped is not
// handed out.
func TestPoolLosesAgents(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := pooled(t, on, fakeagent.Script{}, Pool{Size: 1})
		is.NoErr(s.warm(Request{}))
		is.NoErr(syscall.Kill(s.spare(t).Term().Pid(), syscall.SIGKILL))
		is.True(eventually(func() bool { p := s.Stats().Pool; return p.Boots == 2 && p.Ready == 1 }))

		// Something stands in the input line, so the prompt would be appended.
		is.NoErr(s.spare(t).Term().SendKeys(t.Context(), "x"))
		is.True(eventually(func() bool {
			screen, err := s.spare(t).Term().Screen(t.Context())
			return err == nil && s.agent().See(screen).Text == "x"
		}))
		res, err := s.turn(t.Context(), Request{Prompt: "hello"})
		is.NoErr(err)
		is.Equal(res.Text, "You said: hello")
		is.Equal(s.Stats().Pool.Unwell, int64(1))
	})
}

// spare is the first agent that stands ready.
func (s *stage) spare(t *testing.T) *spare {
	t.Helper()
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	for _, sh := range s.pool.shelves {
		if len(sh.ready) > 0 {
			return sh.ready[0]
		}
	}
	t.Fatal("no agent stands ready")
	return nil
}

// An agent that does not start is tried again, less and less often, and a turn
// of that kind is told why.
func TestPoolBootFails(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := pooled(t, setting{kind: Pty}, fakeagent.Script{End: &fakeagent.End{At: fakeagent.AtBoot, Status: 7}}, Pool{Size: 3})
	for range 2 {
		err := s.warm(Request{})
		is.Equal(as[*ExitError](t, err).Status.ExitStatus(), 7)
	}
	is.True(s.Stats().Pool.BootFailures >= 2)
	boots := s.Stats().Pool.Boots
	time.Sleep(300 * time.Millisecond)       // less than the backoff
	is.True(s.Stats().Pool.Boots-boots <= 1) // it does not spin
	_, err := s.turn(t.Context(), Request{Prompt: "hello"})
	is.Equal(as[*ExitError](t, err).Status.ExitStatus(), 7)
}

// A kind whose agent hangs while it starts does not hold up the others for long.
func TestPoolBootHangs(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := pooled(t, setting{kind: Pty}, fakeagent.Script{}, Pool{Size: 1})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := s.Warm(ctx, Request{WorkDir: s.work, Env: fakeagent.Script{BootDelay: time.Hour}.Environ()})
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.NoErr(s.warm(Request{}))
	is.Equal(s.Stats().Pool.Boots, int64(1)) // the other has not ended
}

// Agents that start for kinds that have lost their share count, too.
func TestPoolStartsNoMoreThanTotal(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := &pool{Pool: Pool{Size: 1, Total: 2}, shelves: make(map[setupKey]*shelf)}
	kind := func(model string) *shelf { return p.shelf(setup{Request: Request{Model: model}}) }
	for _, model := range []string{"a", "b"} {
		sh := kind(model)
		got, _ := p.wanting()
		is.Equal(got, sh)
		is.True(sh.booting)
	}
	last := kind("c")
	got, _ := p.wanting()
	is.True(got == nil)
	p.shelves[(&setup{Request: Request{Model: "a"}}).key()].booting = false // it has failed
	got, _ = p.wanting()
	is.Equal(got, last)
}

func TestPoolAges(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := pooled(t, setting{kind: Pty}, fakeagent.Script{}, Pool{Size: 1, MaxAge: 200 * time.Millisecond, MaxIdle: 2 * time.Second})
	is.NoErr(s.warm(Request{}))
	is.True(eventually(func() bool { return s.Stats().Pool.Boots >= 2 })) // replaced
	is.True(eventually(func() bool {                                      // and nobody asks any more
		p := s.Stats().Pool
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		return p.Ready == 0 && len(s.pool.shelves) == 0
	}))
}

func TestPoolIsClosed(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := pooled(t, on, fakeagent.Script{}, Pool{Size: 3})
		is.NoErr(s.warm(Request{}))
		session := s.spare(t).Start.Session
		is.NoErr(s.Close()) // in mid-boot, mostly
		is.Equal(len(processes(session)), 0)
		is.True(errors.Is(s.warm(Request{}), ErrClosed))
	})
}

func TestWarmNeedsAPool(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{})
	is.True(s.warm(Request{}) != nil)
}

// The directory that a Runner's agents live in may be cleaned away.
func TestPoolMoves(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := pooled(t, setting{kind: Pty}, fakeagent.Script{}, Pool{Size: 1})
	is.NoErr(s.warm(Request{}))
	old := s.spare(t)
	is.True(eventually(func() bool { // the Runner may write a file meanwhile
		return os.RemoveAll(old.place.Lease.Dir()) == nil
	}))
	res, err := s.turn(t.Context(), Request{Prompt: "hello"})
	is.NoErr(err)
	is.Equal(res.Text, "You said: hello")
	is.True(!res.Warm)
	is.NoErr(s.warm(Request{}))
	is.True(s.spare(t).place != old.place)
	is.Equal(len(processes(old.Start.Session)), 0)
}

// Each caller gets the answer to its own prompt.
func TestPoolUnderLoad(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := pooled(t, on, fakeagent.Script{}, Pool{Size: 4})
		is.NoErr(s.warm(Request{}))
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				prompt := fmt.Sprint("number ", i)
				res, err := s.turn(t.Context(), Request{Prompt: prompt})
				if err != nil || res.Text != "You said: "+prompt {
					var screen string
					if e, ok := errors.AsType[*Error](err); ok {
						screen = e.Screen
					}
					t.Errorf("%s: %q, %v\n%s", prompt, res.Text, err, screen)
				}
			})
		}
		all.Wait()
		stats := s.Stats().Pool
		is.Equal(stats.Hits+stats.Misses, int64(16))
		is.True(stats.Hits+stats.Unwell > 0) // on a busy machine a ready agent may seem unusable
	})
}

// A turn whose caller has gone leaves the agents to the next.
func TestPoolIsNotDrained(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := pooled(t, setting{kind: Pty}, fakeagent.Script{}, Pool{Size: 3})
	is.NoErr(s.warm(Request{}))
	is.True(s.ready(3))
	setup, _, err := s.setup(Request{WorkDir: s.work})
	is.NoErr(err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	is.True(s.pool.take(ctx, setup) == nil)
	stats := s.Stats().Pool
	is.Equal(stats.Ready, 3)
	is.Equal(stats.Unwell, int64(0))
}

func TestPoolAgentIsStopped(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("whether a process is stopped is known on Linux only")
	}
	is := is.New(t)
	s := pooled(t, setting{kind: Pty}, fakeagent.Script{}, Pool{Size: 1})
	is.NoErr(s.warm(Request{}))
	pid := s.spare(t).Term().Pid()
	is.NoErr(syscall.Kill(pid, syscall.SIGSTOP))
	is.True(eventually(func() bool { return proc.Stopped(pid) }))
	res, err := s.turn(t.Context(), Request{Prompt: "hello"})
	is.NoErr(err)
	is.Equal(res.Text, "You said: hello")
	is.True(!res.Warm)
	is.Equal(s.Stats().Pool.Unwell, int64(1))
}

// Those who wait for more kinds than there may be all see theirs.
func TestWarmWithoutAShare(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := pooled(t, setting{kind: Pty}, fakeagent.Script{}, Pool{Size: 1, Total: 1})
	var all sync.WaitGroup
	for _, model := range []string{"a", "b", "c"} {
		all.Go(func() {
			if err := s.warm(Request{Model: model}); err != nil {
				t.Errorf("%s: %v", model, err)
			}
		})
	}
	all.Wait()
	is.True(s.ready(1))
}

// An agent that somebody waits for is not ended before they have seen it.
func TestWarmSeesItsAgent(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := pooled(t, setting{kind: Pty}, fakeagent.Script{}, Pool{Size: 1, Total: 1})
	is.NoErr(s.warm(Request{Model: "a"}))
	first := s.spare(t)
	wait := func(model string, n int) {
		setup, _, err := s.setup(Request{WorkDir: s.work, Model: model})
		is.NoErr(err)
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		s.pool.shelf(setup).waiting += n
	}
	wait("a", 1)
	wait("b", 1) // the share is theirs now
	s.pool.discard()
	is.Equal(s.spare(t), first)
	wait("a", -1)
	wait("b", 0)
	s.pool.notify()
	is.True(eventually(func() bool { return s.Stats().Pool.Boots == 2 }))
}

// What an agent is started with later is not what its caller has made of it.
func TestSetupIsACopy(t *testing.T) {
	is := is.New(t)
	env, tools := []string{"OF=one"}, []string{"Read"}
	s, err := newSetup(Request{Env: env, Tools: tools})
	is.NoErr(err)
	before := s.key()
	env[0], tools[0] = "OF=two", "Bash"
	is.Equal(s.key(), before)
	s, err = newSetup(Request{Tools: []string{}})
	is.NoErr(err)
	is.True(s.Tools != nil) // no tools is not the agent's choice
}

// nosy is a log whose handler looks at the numbers.
type nosy struct {
	slog.Handler
	look func()
}

func (n nosy) Enabled(context.Context, slog.Level) bool { return true }

func (n nosy) Handle(context.Context, slog.Record) error {
	n.look()
	return nil
}

func (n nosy) WithAttrs([]slog.Attr) slog.Handler { return n }

func TestLogMayAskForStats(t *testing.T) {
	t.Parallel()
	s := pooled(t, setting{kind: Pty}, fakeagent.Script{End: &fakeagent.End{At: fakeagent.AtBoot, Status: 7}}, Pool{Size: 1})
	logged := make(chan bool, 1000)
	s.Log = slog.New(nosy{look: func() { logged <- s.Stats().Pool.BootFailures > 0 }})
	as[*ExitError](t, s.warm(Request{}))
	for failed := false; !failed; {
		select {
		case failed = <-logged:
		case <-time.After(patience):
			t.Fatal("the log is stuck")
		}
	}
}

// The start of an agent that Close cuts short says so.
func TestWarmIsClosed(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := pooled(t, setting{kind: Pty}, fakeagent.Script{BootDelay: time.Minute}, Pool{Size: 1})
	warmed := make(chan error)
	go func() { warmed <- s.warm(Request{}) }()
	is.True(eventually(func() bool { return len(carrying("HOME="+s.home+"\x00")) > 0 }))
	is.NoErr(s.Close())
	is.True(errors.Is(<-warmed, ErrClosed))
}
