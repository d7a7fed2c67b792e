package conformance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

// The agents put what they call pasted or truncated text behind placeholders, and
// replace these when a prompt goes out. A prompt that holds such text itself must
// arrive as it is, whatever its length.

// randomPrompt is made of placeholders, words, long runs and line ends. Its length
// is around one of those at which an agent does something else. It ends with
// something visible.
func randomPrompt(rng *rand.Rand) string {
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	token := func() string {
		id := pick("1", "1", "1", "2", "3", "01", "007", "2147483647", "2147483648", "4294967296")
		return pick("[Image #"+id+"]", "[Pasted text #"+id+"]", "[Pasted text #"+id+" +3 lines]",
			"[...Truncated text #"+id+" +0 lines...]", "[✦ Team setup guide #"+id+"]", "[Image #"+id, "#"+id+"]")
	}
	filler := func(n int) string {
		var b strings.Builder
		for b.Len() < n {
			b.WriteString(pick("word ", "word ", "\n", "\n\n", "  ", "é", "漢字", "👩🏽", `"quoted" `, strings.Repeat("x", 1+rng.IntN(300))))
		}
		return b.String()
	}
	length := []int{200, 500, 1000, 9_500, 10_000, 10_000, 10_000, 10_500, 12_000, 21_000}[rng.IntN(10)] - 20 + rng.IntN(41)
	text := []rune(filler(length))
	// Where an agent cuts, and anywhere.
	for range rng.IntN(8) {
		at := []int{0, 460 + rng.IntN(50), len(text) - 460 - rng.IntN(50), len(text), rng.IntN(len(text) + 1), rng.IntN(min(500, len(text)))}[rng.IntN(6)]
		at = min(max(at, 0), len(text))
		text = append(text[:at:at], append([]rune(token()+pick("", "", " ", token())), text[at:]...)...)
	}
	prompt := pick("", "", " ", "\n") + "p" + strings.TrimSpace(string(text)) + pick("", ".", token())
	// To the unit, sometimes.
	for n := len(utf16.Encode([]rune(prompt))); n < 10_002 && n > 9_960; n++ {
		if prompt += "y"; n >= 9_996+rng.IntN(5) {
			break
		}
	}
	return prompt
}

// promised tells whether got is what the documentation of Request.Prompt promises
// of a prompt that randomPrompt has made.
func promised(prompt, got string) bool {
	if got == prompt {
		return true
	}
	if len(utf16.Encode([]rune(prompt))) < 10_000 {
		return false
	}
	head := utf16.Encode([]rune(got))[:520]
	return strings.ReplaceAll(got, `[\`, "[") == prompt && strings.Count(got, `[\`) == strings.Count(string(utf16.Decode(head)), `[\`)
}

// TestPlaceholdersAreText has random prompts in conversations: 4 a version, 60 with
// TUITURN_LONG, an agent for every 20.
func TestPlaceholdersAreText(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if n := 60; long() {
			if terminal == tuiturn.Tmux {
				n = 20
			}
			placeholders(t, newHost(t, version, terminal), n)
		} else if itsTurn(0, version, terminal) {
			placeholders(t, newHost(t, version, terminal), 4)
		}
	})
}

func placeholders(t *testing.T, h *host, n int) {
	t.Helper()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	var log lockedLog
	h.runner.Log = slog.New(slog.NewTextHandler(&log, nil))
	var c *talk
	changed := 0
	for i := range n {
		if i%20 == 0 {
			if c != nil {
				must(t, c.Close())
			}
			c = newTalk(t, h, tuiturn.Request{NoTools: true}, func(string) *standin.Reply { return &standin.Reply{Text: "ok"} })
		}
		prompt := randomPrompt(rng)
		before := len(c.asked())
		ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
		_, err := c.Turn(ctx, tuiturn.TurnRequest{Prompt: prompt})
		cancel()
		asked := c.asked()[before:]
		if err != nil || len(asked) != 1 {
			t.Fatalf("prompt %d of seed %d, %s, made %d requests, %v\n%s", i, seed, excerpt(prompt), len(asked), err, screenOf(err))
		}
		got := asked[0].Prompt()
		if got != prompt {
			changed++
		}
		if log.has("the prompt is pasted") {
			t.Logf("prompt %d: on this busy machine the agent did not open its editor in time, and a paste is another thing", i)
			return
		}
		if !promised(prompt, got) {
			t.Fatalf("prompt %d of seed %d, %s, arrived as %s", i, seed, excerpt(prompt), excerpt(got))
		}
	}
	t.Logf("%d prompts, %d of them with a placeholder that was broken", n, changed)
}

// A lockedLog is a log that may be read while it is written.
type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedLog) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), s)
}

// TestInterruptedPromptDoesNotLeak: what the agent has put aside of a long prompt
// must not stand in the next one, nor be paid for there.
func TestInterruptedPromptDoesNotLeak(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !itsTurn(1, version, terminal) {
			return
		}
		h := newHost(t, version, terminal)
		c := newTalk(t, h, tuiturn.Request{NoTools: true}, func(prompt string) *standin.Reply {
			if strings.HasPrefix(prompt, "mute") {
				return &standin.Reply{Text: "never", Delay: turnTimeout}
			}
			return nil
		})
		for i, delivered := range []bool{true, false} {
			mute := "mute " + strings.Repeat(fmt.Sprintf("the first client's secret %d. ", i), 500) + "end"
			ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
			trace := &tuiturn.Trace{Submitted: cancel}
			if delivered {
				trace = &tuiturn.Trace{Delivered: cancel}
			}
			_, err := c.Turn(ctx, tuiturn.TurnRequest{Prompt: mute, Trace: trace})
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			before := len(c.asked())
			if _, err := c.Turn(t.Context(), tuiturn.TurnRequest{Prompt: "And " + mute}); !errors.Is(err, tuiturn.ErrInvalidPrompt) {
				t.Errorf("repeated, the prompt ended with %v", err)
			}
			if len(c.asked()) > before {
				t.Error("the model was asked")
			}
			const next = "See [Image #1], [Pasted text #1 +1 lines], [...Truncated text #1 +0 lines...], [Image #2] and [Image #3]"
			res, err := c.Turn(t.Context(), tuiturn.TurnRequest{Prompt: next})
			if want := "heard: " + strings.ReplaceAll(next, "[", `[\`); err != nil || res.Text != want {
				t.Fatalf("the next prompt was answered with %s, %v", excerpt(res.Text), err)
			}
			res, err = c.Turn(t.Context(), tuiturn.TurnRequest{Prompt: next})
			if want := "heard: " + next; err != nil || res.Text != want {
				t.Fatalf("the one after that was answered with %s, %v", excerpt(res.Text), err)
			}
		}
	})
}
