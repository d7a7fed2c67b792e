package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

func TestTurn(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, fakeagent.Script{})
		res, err := s.turn(t.Context(), Request{Prompt: "hello", Model: "claude-of-the-test"})
		is.NoErr(err)
		is.Equal(res.Text, "You said: hello")
		is.Equal(res.StopReason, "end_turn")
		is.Equal(res.Model, "claude-of-the-test")
		is.Equal(res.Terminal, on.kind)
		is.Equal(res.AgentVersion, fakeagent.Version)
		is.True(res.Usage.InputTokens > 0 && res.Usage.OutputTokens > 0)
		is.True(regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(res.SessionID))

		again, err := s.turn(t.Context(), Request{Prompt: "hello again"})
		is.NoErr(err)
		is.Equal(again.Text, "You said: hello again") // a second turn in the same home
		is.True(again.SessionID != res.SessionID)
	})
}

// However the agent writes it, the answer is the text of its last message.
func TestAnswer(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("\nAll work and no play makes a long answer.", 5000)[:200<<10-3]
	for name, c := range map[string]struct {
		turn fakeagent.Turn
		want string
	}{
		"blocks":       {fakeagent.Turn{Blocks: []string{"one ", "two ", "three"}}, "one two three"},
		"tool":         {fakeagent.Turn{Text: "it is done", Tool: &fakeagent.Tool{Narration: "I will look", Result: "ok"}}, "it is done"},
		"thinking":     {fakeagent.Turn{Text: "yes", Thinking: "hm, no"}, "yes"},
		"subagents":    {fakeagent.Turn{Text: "mine", Sidechain: 3}, "mine"},
		"noise":        {fakeagent.Turn{Text: "signal", Noise: 5}, "signal"},
		"torn lines":   {fakeagent.Turn{Text: "whole", TornPieces: 4, TornPause: 40 * time.Millisecond}, "whole"},
		"late lines":   {fakeagent.Turn{Text: "late", WriteDelay: 300 * time.Millisecond}, "late"},
		"answer first": {fakeagent.Turn{Text: "early", Order: []int{1, 0}}, "early"},
		"200 KB":       {fakeagent.Turn{Text: "big", Size: 200 << 10}, "big" + big},
		"no duration":  {fakeagent.Turn{Text: "old", NoDuration: true}, "old"},
		"blank lines":  {fakeagent.Turn{Text: "\n a\n\n b \n"}, "\n a\n\n b \n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachSetting(t, func(t *testing.T, on setting) {
				is := is.New(t)
				s := on.newStage(t, answers(c.turn))
				res, err := s.turn(t.Context(), Request{Prompt: "hello"})
				is.NoErr(err)
				is.True(res.Text == c.want) // not is.Equal: 200 KB of report
			})
		})
	}
}

// Some builds write neither a stop reason nor the end of the turn.
func TestAnswerWithoutAnEnd(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, answers(fakeagent.Turn{
			StopReason: "null",
			NoDuration: true,
			NoSummary:  true,
			Tool:       &fakeagent.Tool{Narration: "first"},
		}))
		var ended time.Time
		res, err := s.turn(t.Context(), Request{Prompt: "hello", Trace: &Trace{
			Answering: func() { ended = time.Now() },
			Done: func() {
				if d := time.Since(ended); !inTime(d, 2*time.Second) {
					t.Errorf("the end was found %v after it", d)
				}
			},
		}})
		is.NoErr(err)
		is.Equal(res.Text, "You said: hello")
		is.Equal(res.StopReason, "")
	})
}

// However the agent takes its input, it gets the prompt.
func TestSlowAgents(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]fakeagent.Script{
		"2.1.330":         {AltScreen: true, NewInput: true, Footer: "⏸ manual mode on · ? for shortcuts · ← for agents"},
		"slow boot":       {BootDelay: 2 * time.Second},
		"keys lost":       {DeafDelay: time.Second},
		"an offer":        {Offer: fakeagent.AtBoot},
		"a late offer":    {Offer: fakeagent.AtReady},
		"one Enter lost":  answers(fakeagent.Turn{SwallowEnters: 1}),
		"two lost":        answers(fakeagent.Turn{SwallowEnters: 2}),
		"three lost":      answers(fakeagent.Turn{SwallowEnters: 3}),
		"slow to record":  answers(fakeagent.Turn{SwallowEnters: 1, WriteDelay: 900 * time.Millisecond}),
		"a long farewell": {ShutdownDelay: 300 * time.Millisecond, Litter: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachSetting(t, func(t *testing.T, on setting) {
				is := is.New(t)
				s := on.newStage(t, script)
				res, err := s.turn(t.Context(), Request{Prompt: "hello\n\tworld"})
				is.NoErr(err)
				is.Equal(res.Text, "You said: hello\n\tworld")
			})
		})
	}
}

// The paste door is for an agent that opens no editor, or cannot be told of one.
func TestPasteDoor(t *testing.T) {
	t.Parallel()
	prompt := "hello\n\tworld\n!touch pwned\n" + strings.Repeat("and more\n", 200)
	want := "You said: " + strings.TrimSpace(strings.ReplaceAll(prompt, "\t", "    "))
	for name, change := range map[string]func(*stage){
		"no editor": func(s *stage) {
			s.Env = append(fakeagent.Script{NoEditor: true}.Environ(), s.Env[1:]...)
		},
		"a path with spaces": func(s *stage) {
			s.TempDir = filepath.Join(s.TempDir, "a b")
			if err := os.Mkdir(s.TempDir, 0o700); err != nil {
				s.t.Fatal(err)
			}
			s.t.Cleanup(func() { s.Close(); os.Remove(s.TempDir) }) // before newStage's
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
				is := is.New(t)
				s := newStage(t, kind, fakeagent.Script{})
				change(s)
				res, err := s.turn(t.Context(), Request{Prompt: prompt})
				is.NoErr(err)
				is.Equal(res.Text, want)
				is.True(!exists(filepath.Join(s.work, "pwned")))
			})
		})
	}
}

// A prompt is data: the fake's input line is as dangerous as the real one, and
// the answer is what it made of the prompt.
func TestPromptIsText(t *testing.T) {
	t.Parallel()
	rule := strings.Repeat("─", 120)
	menu := "Do you want to proceed?\n❯ 1. Yes\n  2. No"
	long := strings.Repeat("a line with \"quotes\", $(touch pwned), `touch pwned`, 👩‍👩‍👧 and\ttabs\n", 200)
	for _, c := range []struct{ name, prompt, want string }{
		{"shell", "!touch pwned", `\!touch pwned`},
		{"command", "/help", `\/help`},
		{"command behind blanks", " \n/exit", " \n" + `\/exit`},
		{"command behind nothing", "\u200b/exit", "\u200b" + `\/exit`},
		{"exit", "exit", `\exit`},
		{"exit, aside", " :wq! \n", ` \:wq!`},
		{"a file", "what is @secret.txt", "what is @secret.txt"},
		{"a file first", "@secret.txt", "@secret.txt"},
		{"ends in a backslash", `back\`, `back\`},
		{"two bytes", "ok", "ok"},
		{"an escape", "a\x1b[31mred", "a␛[31mred"},
		{"line ends", "a\r\nb\rc\n", "a\nb\nc"},
		{"a menu", menu, menu},
		{"rules", rule + "\n" + menu + "\n" + rule + "\nend", rule + "\n" + menu + "\n" + rule + "\nend"},
		{"rules alone", rule + "\n" + rule, rule + "\n" + rule},
		{"200 lines", long, strings.TrimSpace(long)},
		{"100 KB in one word", strings.Repeat("x", 100<<10), strings.Repeat("x", 100<<10)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
				is := is.New(t)
				s := newStage(t, kind, fakeagent.Script{})
				secret := filepath.Join(s.work, "secret.txt")
				is.NoErr(os.WriteFile(secret, []byte("classified"), 0o600))

				res, err := s.turn(t.Context(), Request{Prompt: c.prompt})
				is.NoErr(err)
				is.Equal(res.Text, "You said: "+c.want)
				is.True(!exists(filepath.Join(s.work, "pwned")))            // no shell ran
				is.True(!strings.Contains(s.transcript(res), "classified")) // no file was read
			})
		})
	}
}

func TestAllowMentions(t *testing.T) {
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, fakeagent.Script{})
		is.NoErr(os.WriteFile(filepath.Join(s.work, "secret.txt"), []byte("classified"), 0o600))
		res, err := s.turn(t.Context(), Request{Prompt: "read @secret.txt", AllowMentions: true})
		is.NoErr(err)
		is.True(strings.Contains(s.transcript(res), "classified"))
	})
}

// A command of the agent's may end it; a host that allows commands is told.
func TestAllowCommands(t *testing.T) {
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, fakeagent.Script{})
		_, err := s.turn(t.Context(), Request{Prompt: "/exit", AllowCommands: true})
		is.Equal(as[*ExitError](t, err).Status.ExitStatus(), 0)
	})
}

// transcript is the agent's own record of a turn, as claude writes it.
func (s *stage) transcript(res *Result) string {
	s.t.Helper()
	path, err := s.Agent.agent().Traits().Log.Find(s.home, res.SessionID)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, ok := s.Agent.(rolloutAgent); ok {
		return unwrapped(b)
	}
	return string(b)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestConcurrentTurns(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		s := on.newStage(t, fakeagent.Script{})
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				prompt := fmt.Sprintf("I am caller %d", i)
				res, err := s.turn(t.Context(), Request{Prompt: prompt})
				if err != nil || res.Text != "You said: "+prompt {
					t.Errorf("caller %d got %q, %v", i, res.Text, err)
				}
			})
		}
		all.Wait()
	})
}

func TestTrace(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, answers(fakeagent.Turn{Delay: 100 * time.Millisecond}))
		var seen []string
		trace := &Trace{}
		for name, f := range callbacks(trace) {
			*f = func() { seen = append(seen, name) }
		}
		res, err := s.turn(t.Context(), Request{Prompt: "hello", Trace: trace})
		is.NoErr(err)
		is.Equal(seen, []string{"Booting", "Ready", "Delivered", "Submitted", "Answering", "Done", "Ended"})
		checkTimings(t, res.Timings)
		is.True(res.Timings.Boot > 0 && res.Timings.Submit > 0 && res.Timings.Answer > 0 && res.Timings.Teardown > 0)
	})
}

// checkTimings checks that the parts are the whole.
func checkTimings(t *testing.T, got Timings) {
	t.Helper()
	sum := got.Queue + got.Boot + got.Submit + got.Answer + got.Teardown
	if rest := got.Total - sum; rest < 0 || rest > 50*time.Millisecond {
		t.Errorf("timings add up to %v: %+v", sum, got)
	}
}

func callbacks(trace *Trace) map[string]*func() {
	return map[string]*func(){
		"Booting":   &trace.Booting,
		"Ready":     &trace.Ready,
		"Delivered": &trace.Delivered,
		"Submitted": &trace.Submitted,
		"Answering": &trace.Answering,
		"Done":      &trace.Done,
		"Ended":     &trace.Ended,
	}
}

func TestCancelAtEachStage(t *testing.T) { // not parallel: it has limits of time
	// After Answering it takes a second to see that nothing more comes.
	script := answers(fakeagent.Turn{StopReason: "null", NoDuration: true, NoSummary: true})
	script.IgnoreHangup, script.IgnoreTerm = true, true
	for _, name := range []string{"Booting", "Ready", "Delivered", "Submitted", "Answering", "Done", "Ended"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachSetting(t, func(t *testing.T, on setting) {
				s := on.newStage(t, script)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var cancelled time.Time
				trace := &Trace{}
				*callbacks(trace)[name] = func() { cancelled = time.Now(); cancel() }
				res, err := s.turn(ctx, Request{Prompt: "hello", Trace: trace})
				if name == "Done" || name == "Ended" {
					// The outcome was known.
					if err != nil || res.Text != "You said: hello" {
						t.Errorf("got %q, %v", res.Text, err)
					}
				} else if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want context.Canceled", err)
				}
				if d := time.Since(cancelled); !inTime(d, 2*time.Second) {
					t.Errorf("Turn returned %v after the cancellation", d)
				}
				checkTimings(t, res.Timings)
			})
		})
	}
}

func TestCancelAtAnyTime(t *testing.T) { // not parallel: it has limits of time
	onEachSetting(t, func(t *testing.T, on setting) {
		s := on.newStage(t, answers(fakeagent.Turn{Delay: 50 * time.Millisecond}))
		prompt := strings.Repeat("hello\n", 2000)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for range 4 {
					after := rand.N(800 * time.Millisecond)
					ctx, cancel := context.WithTimeout(t.Context(), after)
					res, err := s.turn(ctx, Request{Prompt: prompt})
					cancel()
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("deadline after %v: %v", after, err)
					}
					if late := res.Timings.Total - after; !inTime(late, 3*time.Second) {
						t.Errorf("deadline after %v: Turn returned %v later: %+v, %v", after, late, res.Timings, err)
					}
				}
			})
		}
		all.Wait()
	})
}

func TestCancelCause(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, answers(fakeagent.Turn{Hang: true}))
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("the client hung up")
	_, err := s.turn(ctx, Request{Prompt: "hello", Trace: &Trace{Submitted: func() { cancel(enough) }}})
	is.True(errors.Is(err, enough))
	is.True(errors.Is(err, context.Canceled)) // whatever the cause, as in os/exec

	_, err = s.turn(ctx, Request{Prompt: "hello"})
	is.True(errors.Is(err, enough)) // a context that has ended starts nothing
	is.True(errors.Is(err, context.Canceled))
}

// A server recovers what its handlers panic with; the agent must not go on.
func TestPanicInTrace(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Booting", "Submitted", "Done"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachSetting(t, func(t *testing.T, on setting) {
				is := is.New(t)
				s := on.newStage(t, fakeagent.Script{})
				trace := &Trace{}
				*callbacks(trace)[name] = func() { panic(name) }
				var recovered any
				func() {
					defer func() { recovered = recover() }()
					s.turn(t.Context(), Request{Prompt: "hello", Trace: trace})
				}()
				is.Equal(recovered, name)
				turns, err := filepath.Glob(filepath.Join(s.place.Lease.Dir(), "t-*"))
				is.NoErr(err)
				is.Equal(len(turns), 0)
				is.Equal(anyMarked(s.home), 0) // no process of the turn is left
				is.Equal(s.Stats().Turns, map[string]int64{"other": 1})

				res, err := s.turn(t.Context(), Request{Prompt: "again"})
				is.NoErr(err)
				is.Equal(res.Text, "You said: again")
			})
		})
	}
}

// anyMarked counts the processes with a home, where the session is not known.
func anyMarked(home string) (n int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		if env, err := os.ReadFile(file); err == nil && slices.Contains(strings.Split(string(env), "\x00"), "HOME="+home) {
			n++
		}
	}
	return n
}

func TestClose(t *testing.T) { // not parallel: it has limits of time
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, answers(fakeagent.Turn{Hang: true}))
		const n = 3
		submitted := make(chan bool, n)
		errs := make(chan error, n)
		for range n {
			go func() {
				_, err := s.turn(t.Context(), Request{Prompt: "hello", Trace: &Trace{Submitted: func() { submitted <- true }}})
				errs <- err
			}()
		}
		for range n {
			<-submitted
		}
		began := time.Now()
		closed := make(chan error, 2)
		for range 2 {
			go func() { closed <- s.Close() }()
		}
		for range n {
			is.True(errors.Is(<-errs, ErrClosed))
		}
		is.NoErr(<-closed)
		is.NoErr(<-closed)
		is.NoErr(s.Close()) // once more
		is.True(inTime(time.Since(began), 5*time.Second))

		_, err := s.turn(t.Context(), Request{Prompt: "hello"})
		is.True(errors.Is(err, ErrClosed))
	})
}

func TestCloseUnused(t *testing.T) {
	is := is.New(t)
	var r Runner
	is.NoErr(r.Close())
}

// Someone ends the tmux server: that turn fails, the next one works.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	tmuxtest.Require(t)
	is := is.New(t)
	s := newStage(t, Tmux, fakeagent.Script{})
	_, err := s.turn(t.Context(), Request{
		Prompt: "hello",
		Env:    answers(fakeagent.Turn{Hang: true}).Environ(),
		Trace: &Trace{Submitted: func() {
			_, err := s.place.Tmux.Run(context.Background(), "kill-server")
			is.NoErr(err)
		}},
	})
	is.True(err != nil)
	is.True(!errors.Is(err, context.DeadlineExceeded)) // it is not waited out

	res, err := s.turn(t.Context(), Request{Prompt: "hello"})
	is.NoErr(err)
	is.Equal(res.Text, "You said: hello")
}

// Something that cleans temporary directories takes an idle Runner's.
func TestPrivateDirectoryRemoved(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, fakeagent.Script{})
		for range 2 {
			res, err := s.turn(t.Context(), Request{Prompt: "hello"})
			is.NoErr(err)
			is.Equal(res.Text, "You said: hello")
			is.NoErr(os.RemoveAll(s.place.Lease.Dir()))
		}
	})
}
