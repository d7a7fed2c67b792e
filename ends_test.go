package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

// every calls f with each way in which the fake agent can come to rest with a prompt
// that it has taken.
func every(f func(r fakeagent.Rest)) {
	flags := func(n int, to ...*bool) {
		for i, b := range to {
			*b = n&(1<<i) != 0
		}
	}
	for _, said := range []fakeagent.Rest{
		{},
		{Text: "it", StopReason: "end_turn"},
		{Text: "it", StopReason: "null"},
		{Text: "it", StopReason: "max_tokens"},
		{Text: "it", StopReason: "refusal"},
		{Text: "look", StopReason: "tool_use", Tool: true},
		{Tool: true, StopReason: "tool_use", Result: true},
	} {
		for n := range 1 << 6 {
			r := said
			flags(n, &r.Objected, &r.Halted, &r.Hook, &r.Summary, &r.Duration, &r.Working)
			f(r)
		}
	}
}

// TestEveryRest has the fake agent come to rest in every way that it can play. One
// that has stopped is not waited for, and is not taken for one that has answered.
func TestEveryRest(t *testing.T) {
	t.Parallel()
	n := 0
	every(func(r fakeagent.Rest) {
		n++
		// Most take seconds of waiting. With TUITURN_LONG all of them are played.
		if os.Getenv("TUITURN_LONG") == "" && n%13 != 0 {
			return
		}
		t.Run(fmt.Sprintf("%+v", r), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			s := newStage(t, Pty, fakeagent.Script{Turns: []fakeagent.Turn{{Rest: &r}}})
			told := r.Duration || r.Halted && (!r.Tool || r.Result)
			limit := patience
			if r.Working && !told {
				limit = 7 * time.Second // it may go on: the caller's limit ends it
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			res, err := s.turn(ctx, Request{Prompt: "what?"})
			answered := r.Text != "" && !r.Tool && (!r.Objected || told)
			switch late := errors.Is(err, context.DeadlineExceeded); {
			case late:
				is.True(r.Working) // else it was waited for
			case answered && r.StopReason == "max_tokens":
				is.True(errors.Is(err, ErrTruncated))
			case answered && r.StopReason == "refusal":
				is.True(errors.Is(err, ErrRefused))
			case answered:
				is.NoErr(err)
				is.Equal(res.Text, "it")
			case r.StopReason == "max_tokens":
				is.True(errors.Is(err, ErrTruncated))
			case r.StopReason == "refusal":
				is.True(errors.Is(err, ErrRefused))
			default:
				is.True(errors.Is(err, ErrNoAnswer))
				is.Equal(r.Tool && !r.Result, strings.Contains(err.Error(), "tools without a result: Read"))
			}
			is.True(res.Timings.Answer < limit)
		})
	})
}

// TestBlockedPrompt: a UserPromptSubmit hook of the home's does not let the prompt
// through. Enter is not pressed again, and the error says what is known.
func TestBlockedPrompt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rest fakeagent.Rest
		says []string
	}{
		{fakeagent.Rest{Blocked: true, Recorded: true, Kept: true}, []string{"a UserPromptSubmit hook blocked it: no thanks", "stands in the input line again"}},
		{fakeagent.Rest{Blocked: true, Recorded: true}, []string{"a UserPromptSubmit hook blocked it: no thanks", "has erased the prompt"}},
		{fakeagent.Rest{Blocked: true, Kept: true}, []string{"gave it back to the input line"}},
		{fakeagent.Rest{Blocked: true}, []string{"its input line is empty", "UserPromptSubmit hook"}},
	} {
		t.Run(fmt.Sprintf("%+v", c.rest), func(t *testing.T) {
			onEachSetting(t, func(t *testing.T, on setting) {
				is := is.New(t)
				s := on.newStage(t, fakeagent.Script{Turns: []fakeagent.Turn{{Rest: &c.rest}, {}}})
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				_, err := s.turn(ctx, Request{Prompt: "what?"})
				is.True(errors.Is(err, ErrNotAccepted))
				for _, words := range c.says {
					is.True(strings.Contains(err.Error(), words))
				}
				var e *Error
				is.True(errors.As(err, &e))
				is.Equal(strings.Count(e.Screen, "blocked by hook"), 1) // it ran once
			})
		})
	}
}

// TestBlockedPromptOfAConversation: the next prompt is taken.
func TestBlockedPromptOfAConversation(t *testing.T) {
	t.Parallel()
	for _, rest := range []fakeagent.Rest{{Recorded: true, Kept: true}, {Recorded: true}, {}} {
		rest.Blocked = true
		t.Run(fmt.Sprintf("%+v", rest), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			c := newStage(t, Pty, fakeagent.Script{Turns: []fakeagent.Turn{{}, {Rest: &rest}, {}}}).talk(Request{})
			c.echoed("one")
			_, err := c.say(t.Context(), "two")
			is.True(errors.Is(err, ErrNotAccepted))
			c.echoed("three")
		})
	}
}

// TestDialogUnderAClock: an agent that works at its clock alone waits for a person.
func TestDialogUnderAClock(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, answers(fakeagent.Turn{UnknownDialog: true, NoOptions: true, Busy: true}))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := s.turn(ctx, Request{Prompt: "what?"})
		is.Equal(as[*BlockedError](t, err).Kind, "unknown")
	})
}

// TestScreenInPieces: what an agent has drawn over its own input line is no dialog.
func TestScreenInPieces(t *testing.T) {
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, fakeagent.Script{InPieces: true})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		res, err := s.turn(ctx, Request{Prompt: "hello"})
		is.NoErr(err)
		is.Equal(res.Text, "You said: hello")
	})
}

// TestEntersThatAreNotTaken: an agent that rests and takes no Enter is told of.
func TestEntersThatAreNotTaken(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, answers(fakeagent.Turn{SwallowEnters: 1000}))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := s.turn(ctx, Request{Prompt: "what?"})
	is.True(errors.Is(err, ErrNotAccepted))
	is.True(strings.Contains(err.Error(), "does not take Enter"))
}

// TestClockOfALiveAgent sets the clock of an agent while it works, by 0.1 s to a day,
// forth or back: each turn of its conversation goes as it would have gone.
func TestClockOfALiveAgent(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			rng := rand.New(rand.NewPCG(seed, 0))
			step := func() time.Duration {
				by := time.Duration(float64(100*time.Millisecond) * math.Pow(10, 5.9*rng.Float64()))
				if rng.IntN(2) == 0 {
					by = -by
				}
				return by
			}
			var script fakeagent.Script
			for range 5 {
				turn := fakeagent.Turn{
					Tool: &fakeagent.Tool{Narration: "let me look"}, NoDuration: rng.IntN(3) == 0,
					NoSummary: rng.IntN(3) == 0, WriteDelay: time.Duration(rng.IntN(3)) * 50 * time.Millisecond,
				}
				for range 6 {
					turn.ClockSteps = append(turn.ClockSteps, step())
				}
				if rng.IntN(2) == 0 {
					turn.Objection = "more"
				}
				script.Turns = append(script.Turns, turn)
			}
			c := newStage(t, Pty, script).talk(Request{})
			for n, turn := range script.Turns {
				prompt := fmt.Sprint("prompt ", n)
				want := "You said: " + prompt
				if turn.Objection != "" {
					want = "Then: more"
				}
				res, err := c.say(t.Context(), prompt)
				is.NoErr(err)
				is.Equal(res.Text, want)
			}
		})
	}
}
