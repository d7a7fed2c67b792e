package conformance

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

// TestPool runs turns from a pool, several at once: each caller gets the answer
// to its own prompt, and most find an agent ready. 50 turns, four at once, on
// every version and terminal with TUITURN_LONG, else 4 turns, two at once.
func TestPool(t *testing.T) {
	t.Parallel()
	turns, atOnce := 4, 2
	if long() {
		turns, atOnce = 50, 4
	}
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !itsTurn(0, version, terminal) {
			return
		}
		is := is.New(t)
		api := standin.Start(func(r standin.Request) standin.Reply {
			if r.IsTitle() {
				return standin.TitleReply
			}
			return standin.Reply{Text: "You asked: " + r.Prompt()}
		})
		defer api.Close()
		h := newHost(t, version, terminal)
		h.runner.Pool = tuiturn.Pool{Size: atOnce}
		h.runner.Limits = tuiturn.Limits{Turns: atOnce, Waiting: turns}
		req := tuiturn.Request{WorkDir: h.workDir(t), Env: []string{"ANTHROPIC_BASE_URL=" + api.URL}}
		ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
		defer cancel()
		is.NoErr(h.runner.Warm(ctx, req))

		var all sync.WaitGroup
		for i := range turns {
			all.Go(func() {
				req := req
				req.Prompt = fmt.Sprintf("number %d?", i)
				res, err := h.runner.Turn(ctx, req)
				if want := "You asked: " + req.Prompt; err != nil || res.Text != want {
					t.Errorf("turn %d: %q, %v", i, res.Text, err)
				}
			})
		}
		all.Wait()
		stats := h.runner.Stats()
		t.Logf("%+v", stats)
		is.Equal(stats.Turns, map[string]int64{"answer": int64(turns)})
		is.True(stats.Pool.Hits > 0)
		is.Equal(stats.Pool.BootFailures+stats.Pool.Unwell, int64(0))
		is.Equal(len(stats.Drift), 0)
	})
}
