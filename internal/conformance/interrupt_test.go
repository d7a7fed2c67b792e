package conformance

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

// TestInterruptAtADialog interrupts turns whose host thinks about a question. Nothing
// runs, and the next turn, which asks the same, is none the worse for it. On a busy
// machine the agent may read several keys to stop before it has acted on the first.
func TestInterruptAtADialog(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		n := 2
		switch {
		case long():
			n = 10
			keepBusy(t)
		case !itsTurn(0, version, terminal):
			return
		}
		is := is.New(t)
		h := newHost(t, version, terminal)
		var used atomic.Bool
		api := standin.Start(func(r standin.Request) standin.Reply {
			switch {
			case r.IsTitle():
				return standin.TitleReply
			case used.Swap(true):
				return standin.Reply{Text: "It is done."}
			}
			return standin.Reply{Text: "I am going to.", Tools: []standin.ToolUse{bashUse("touch made", ""), bashUse("touch more", "")}}
		})
		defer api.Close()
		work := h.workDir(t)
		var thinks atomic.Bool
		asked := make(chan struct{}, 2*n)
		ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
		defer cancel()
		talk, err := h.runner.Open(ctx, tuiturn.Request{
			WorkDir: work, Env: []string{"ANTHROPIC_BASE_URL=" + api.URL}, Tools: []string{"Bash"},
			OnPermission: func(ctx context.Context, _ tuiturn.PermissionRequest) (tuiturn.Decision, error) {
				if thinks.Load() {
					asked <- struct{}{}
					<-ctx.Done()
				}
				return allow, nil
			},
		})
		is.NoErr(err)
		defer talk.Close()
		for range n {
			used.Store(false)
			thinks.Store(true)
			ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
			ended := make(chan error, 1)
			go func() {
				_, err := talk.Turn(ctx, tuiturn.TurnRequest{Prompt: "Do it."})
				ended <- err
			}()
			select {
			case <-asked:
				is.NoErr(talk.Interrupt(ctx))
				is.True(errors.Is(<-ended, tuiturn.ErrInterrupted))
			case err := <-ended:
				t.Fatalf("the host was not asked: %v", err)
			}
			is.Equal(len(snapshot(t, work)), 0)

			used.Store(false)
			thinks.Store(false)
			res, err := talk.Turn(ctx, tuiturn.TurnRequest{Prompt: "Do it now."})
			var e *tuiturn.Error
			if errors.As(err, &e) {
				t.Logf("%s", strings.TrimSpace(e.Screen))
			}
			is.NoErr(err)
			is.Equal(res.Text, "It is done.")
			for _, name := range []string{"made", "more"} {
				is.NoErr(os.Remove(filepath.Join(work, name)))
			}
			cancel()
		}
		is.NoErr(talk.Close())
	})
}
