package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/cleaner"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

// A cleaning is a stage whose temporary files are cleaned away at random moments.
type cleaning struct {
	*stage
	r    *rand.Rand
	told int // errors
}

// cleanings runs a test on each terminal, with a seed that is printed.
func cleanings(t *testing.T, pool Pool, test func(t *testing.T, c *cleaning)) {
	onEachSetting(t, func(t *testing.T, on setting) {
		seed, err := strconv.ParseUint(os.Getenv("TUITURN_SEED"), 10, 64)
		if err != nil {
			seed = rand.Uint64()
		}
		t.Logf("TUITURN_SEED=%d", seed)
		s := on.newStage(t, answers(fakeagent.Turn{Delay: 20 * time.Millisecond}))
		s.Pool = pool
		test(t, &cleaning{stage: s, r: rand.New(rand.NewPCG(seed, uint64(len(on.kind))))})
	})
}

// turnTrace is a Trace in which a cleaner comes at a random moment, or some
// milliseconds later. over waits for it.
func (c *cleaning) turnTrace() (tr *Trace, over func() string) {
	when, late := c.r.IntN(7), time.Duration(c.r.IntN(30))*time.Millisecond
	what, seed := "", c.r.Uint64()
	var cleaning sync.WaitGroup
	at := func(n int) func() {
		return func() {
			if n == when {
				cleaning.Go(func() {
					time.Sleep(late)
					what = cleaner.Clean(rand.New(rand.NewPCG(seed, 0)), c.TempDir)
				})
			}
		}
	}
	at(0)()
	return &Trace{Booting: at(1), Ready: at(2), Delivered: at(3), Submitted: at(4), Answering: at(5), Done: at(6)},
		func() string { cleaning.Wait(); return fmt.Sprintf("at %d + %v, took %s", when, late, what) }
}

// right fails the test if a turn is neither right nor tells of the cleaner.
func (c *cleaning) right(prompt, at string, res *Result, err error) bool {
	c.t.Helper()
	if err == nil {
		if res.Text != "You said: "+prompt {
			c.t.Errorf("%s, %s: %q", prompt, at, res.Text)
		}
		return true
	}
	c.told++
	if s := err.Error(); !strings.Contains(s, "cleaner") || !strings.Contains(s, c.TempDir) || !strings.Contains(s, "Runner.TempDir") {
		c.t.Errorf("%s, %s: %v", prompt, at, err)
	}
	return false
}

// cleanedTurns is how many there are of each kind. One in which the cleaner takes
// what the editor has written takes 10 s.
const cleanedTurns = 10

// A cleaner removes a random part of TempDir: each turn is right or tells of it, and
// the turn after it is right.
func TestACleanerComesAtAnyTime(t *testing.T) {
	t.Parallel()
	for name, pool := range map[string]Pool{"no pool": {}, "a pool": {Size: 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cleanings(t, pool, func(t *testing.T, c *cleaning) {
				_, err := c.turn(t.Context(), Request{Prompt: "hello"})
				is.New(t).NoErr(err)
				for i := range cleanedTurns {
					prompt := fmt.Sprint("number ", i)
					trace, over := c.turnTrace()
					res, err := c.turn(t.Context(), Request{Prompt: prompt, Trace: trace})
					at := over()
					if !c.right(prompt, at, res, err) {
						res, err := c.turn(t.Context(), Request{Prompt: prompt})
						if err != nil || res.Text != "You said: "+prompt {
							t.Errorf("the turn after it: %q, %v", res.Text, err)
						}
					}
				}
				t.Logf("%d of %d turns told of the cleaner", c.told, cleanedTurns)
			})
		})
	}
}

// A cleaner takes what the editor has written before the agent reads it: the prompt is
// handed over again.
func TestACleanerTakesThePrompt(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		script := answers(fakeagent.Turn{Text: "done"})
		script.LostEdits = 1
		res, err := on.newStage(t, script).turn(t.Context(), Request{Prompt: "hello"})
		is.NoErr(err)
		is.Equal(res.Text, "done")
	})
}

// A conversation goes on, or has ended and says why; then its session goes on.
func TestACleanerComesIntoAConversation(t *testing.T) {
	t.Parallel()
	cleanings(t, Pool{}, func(t *testing.T, c *cleaning) {
		talk := c.talk(Request{})
		for i := range cleanedTurns {
			prompt := fmt.Sprint("number ", i)
			trace, over := c.turnTrace()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			res, err := talk.Conversation.Turn(ctx, TurnRequest{Prompt: prompt, Trace: trace})
			cancel()
			if c.right(prompt, over(), res, err) {
				continue
			}
			if i == 0 || !errors.Is(err, ErrEnded) {
				talk.Conversation.Close()
			}
			talk = c.talk(Request{})
		}
		t.Logf("%d of %d turns told of the cleaner", c.told, cleanedTurns)
	})
}

// An agent whose temporary directory is removed makes it anew, and everything above
// it: that is not the Runner's directory any more.
func TestTheAgentMakesItsDirectoryAnew(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, answers(fakeagent.Turn{Tool: &fakeagent.Tool{Ask: true}}))
		anew := false
		for range 2 {
			var dir string
			res, err := s.turn(t.Context(), Request{
				Prompt: "hello",
				OnPermission: func(context.Context, PermissionRequest) (Decision, error) {
					dir = s.place.Lease.Dir()
					is.NoErr(os.RemoveAll(dir))
					return Decision{Verdict: AllowOnce}, nil
				},
				Trace: &Trace{Done: func() { anew = !isGone(dir) }},
			})
			is.NoErr(err)
			is.Equal(res.Text, "You said: hello")
			is.True(anew)        // by the agent
			is.True(isGone(dir)) // with the turn
		}
		is.NoErr(s.Close())
	})
}

// What has the name of the Runner's directory, and is not it, is somebody else's.
func TestTheDirectoryIsSomebodyElses(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(dir, victim string) error{
		"a link":      func(dir, victim string) error { return os.Symlink(victim, dir) },
		"a directory": func(dir, victim string) error { return os.Rename(victim, dir) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachSetting(t, func(t *testing.T, on setting) {
				is := is.New(t)
				s := on.newStage(t, fakeagent.Script{})
				victim := filepath.Join(s.work, "victim")
				is.NoErr(os.Mkdir(victim, 0o700))
				is.NoErr(os.WriteFile(filepath.Join(victim, "precious"), nil, 0o600))
				c := s.talk(Request{})
				dir := s.place.Lease.Dir()
				is.NoErr(os.RemoveAll(dir))
				is.NoErr(replace(dir, victim))

				res, err := s.turn(t.Context(), Request{Prompt: "hello"})
				is.NoErr(err)
				is.Equal(res.Text, "You said: hello")
				_, err = c.Conversation.Turn(t.Context(), TurnRequest{Prompt: "hello"})
				is.True(errors.Is(err, ErrEnded))
				is.True(strings.Contains(err.Error(), "cleaner"))
				is.NoErr(s.Close())
				names, err := os.ReadDir(dir)
				is.NoErr(err)
				is.Equal(len(names), 1) // nothing was put there, nothing taken
				is.Equal(names[0].Name(), "precious")
				is.NoErr(os.RemoveAll(dir))
			})
		})
	}
}

// An agent that stands ready is not handed out without its files: what was taken is
// made again.
func TestACleanerTakesWhatStandsReady(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := pooled(t, on, fakeagent.Script{}, Pool{Size: 1})
		is.NoErr(s.warm(Request{}))
		dir := s.spare(t).Start.Dir
		is.NoErr(os.RemoveAll(dir))
		res, err := s.turn(t.Context(), Request{Prompt: "hello"})
		is.NoErr(err)
		is.Equal(res.Text, "You said: hello")
		is.True(res.Warm)
		is.True(isGone(dir))
	})
}

// What could not be ended of a place that was given up is told by Close.
func TestCloseTellsOfAPlaceThatWasLost(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{})
	_, err := s.turn(t.Context(), Request{Prompt: "hello"})
	is.NoErr(err)
	lost := s.place
	lost.failed(errors.New("something is left"))
	is.NoErr(os.RemoveAll(lost.Lease.Dir()))
	_, err = s.turn(t.Context(), Request{Prompt: "hello"})
	is.NoErr(err)
	err = s.Close()
	is.True(err != nil && strings.Contains(err.Error(), "something is left"))
	lost.left = nil
	is.NoErr(s.Close())
}
