package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/transcript"
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

// TestRests: for every standing that there is, the table has a row, and what is
// neither working nor about to repeat a request is waited for no longer than 5 s.
func TestRests(t *testing.T) {
	is := is.New(t)
	for n := range 1 << 6 {
		for state := transcript.Working; state <= transcript.Final; state++ {
			s := standing{state, n&1 != 0, n&2 != 0, n&4 != 0, n&8 != 0, n&16 != 0, n&32 != 0}
			after := never
			for _, rest := range rests {
				if rest.is(s) {
					after = rest.after
					break
				}
			}
			if s.retrying || s.working && state == transcript.Working {
				is.Equal(after, never)
			} else {
				is.True(after >= restQuiet && after < 5*time.Second)
			}
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
		// Each of them takes seconds of waiting: all of them with -long only.
		if testing.Short() || n%13 != 0 {
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
			onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
				is := is.New(t)
				s := newStage(t, kind, fakeagent.Script{Turns: []fakeagent.Turn{{Rest: &c.rest}, {}}})
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
