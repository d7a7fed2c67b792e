package tuiturn

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

// cut is a turn that is interrupted once done says so.
func (c *talk) cut(prompt string, done func() bool) {
	c.s.t.Helper()
	ctx, cancel := context.WithTimeout(c.s.t.Context(), patience)
	defer cancel()
	_, err := c.turn(ctx, TurnRequest{Prompt: prompt, Trace: &Trace{Delivered: func() {
		go func() {
			defer cancel()
			for !done() && ctx.Err() == nil {
				time.Sleep(5 * time.Millisecond)
			}
		}()
	}}})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrEnded) {
		c.s.t.Fatalf("%q ended with %v", prompt, err)
	}
}

// takes tells whether agents have taken n prompts.
func takes(t *testing.T, dir string, n int) func() bool {
	return func() bool {
		prompts, err := fakeagent.ReadPrompts(dir)
		if err != nil {
			t.Error(err)
		}
		return err != nil || len(prompts) >= n
	}
}

// The interrupted prompt's lines come with those of the next one, or never.
func TestPromptThatIsRecordedLate(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		late := fakeagent.Turn{Hang: true, WriteDelay: time.Hour}
		half := late
		half.Partial = "half of an answer"
		for name, x := range map[string]struct {
			turns   []fakeagent.Turn
			prompts []string // the last is answered
			history []string
		}{
			"another prompt":               {[]fakeagent.Turn{late, {}}, []string{"one", "two"}, []string{"one", "two"}},
			"the same prompt":              {[]fakeagent.Turn{late, {}}, []string{"one", "one"}, []string{"one", "one"}},
			"begun, another prompt":        {[]fakeagent.Turn{half, {}}, []string{"one", "two"}, []string{"one", "two"}},
			"begun, the same prompt":       {[]fakeagent.Turn{half, {}}, []string{"one", "one"}, []string{"one", "one"}},
			"two, another prompt":          {[]fakeagent.Turn{late, late, {}}, []string{"one", "two", "three"}, []string{"one", "two", "three"}},
			"two, the first prompt":        {[]fakeagent.Turn{half, late, {}}, []string{"one", "two", "one"}, []string{"one", "two", "one"}},
			"never taken, the same prompt": {[]fakeagent.Turn{{SwallowEnters: 8}}, []string{"one", "one"}, []string{"one"}},
			"never recorded, the same":     {[]fakeagent.Turn{{Hang: true, NoTranscript: true}, {}}, []string{"one", "one"}, []string{"one"}},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				dir := t.TempDir()
				s := on.newStage(t, fakeagent.Script{Turns: x.turns, Prompts: dir})
				c := s.talk(Request{})
				last := len(x.prompts) - 1
				for i, prompt := range x.prompts[:last] {
					done := takes(t, dir, i+1)
					if x.turns[i].SwallowEnters > 0 {
						at := time.Now()
						done = func() bool { return time.Since(at) > time.Second }
					}
					c.cut(prompt, done)
				}
				c.echoed(x.prompts[last])
				is.Equal(c.prompts(), x.history)
				c.echoed("and on")
			})
		}
	})
}

// A long prompt whose turn was broken off before the agent got it may be given again.
func TestAPromptThatWasNotGivenLeavesNothing(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{})
	var look atomic.Pointer[func()]
	none := func() {}
	look.Store(&none)
	s.Log = slog.New(nosy{look: func() { (*look.Load())() }})
	c := s.talk(Request{})
	ctx, cancel := context.WithCancel(t.Context())
	stop := func() { cancel() }
	look.Store(&stop) // the home is prepared for the turn
	long := strings.TrimSpace(strings.Repeat("a long prompt ", 1000))
	_, err := c.say(ctx, long)
	is.True(errors.Is(err, context.Canceled))
	is.Equal(as[*Error](t, err).Op, "waiting for the agent to take a prompt")
	look.Store(&none)
	c.echoed(long)
}

// An agent keeps what it has put aside of a long prompt until the next one goes
// out, and puts it in place of what looks like its own placeholder.
func TestPlaceholdersAreText(t *testing.T) {
	t.Parallel()
	const next = "see [Image #1] and [...Truncated text #2 +0 lines...]"
	long := "mute [Image #1] " + strings.Repeat("a secret\n", 2000) + "[Pasted text #1]"
	broken := strings.Replace(long, "[Image", `[\Image`, 1)
	for name, modern := range map[string]bool{"2.1.158": false, "2.1.330": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			dir := t.TempDir()
			s := newStage(t, Pty, fakeagent.Script{NewInput: modern, Prompts: dir, Turns: []fakeagent.Turn{{}, {Hang: true}, {}}})
			c := s.talk(Request{})
			res, err := c.say(t.Context(), long)
			is.NoErr(err)
			is.Equal(res.Text, "You said: "+broken)
			c.cut(long, takes(t, dir, 2))
			_, err = c.say(t.Context(), "once more: "+long)
			is.True(errors.Is(err, ErrInvalidPrompt)) // it would be sent as pasted text
			res, err = c.say(t.Context(), next)
			is.NoErr(err)
			is.Equal(res.Text, "You said: "+strings.ReplaceAll(next, "[", `[\`))
			c.echoed(next)
			c.echoed("once more: " + strings.TrimPrefix(long, "mute [Image #1] "))
		})
	}
}
