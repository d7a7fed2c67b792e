package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

// objecting is a Stop hook that objects once, after some seconds.
func objecting(seconds float64) string {
	return fmt.Sprintf(`f="$HOME/objected"; [ -e "$f" ] && exit 0; : >"$f"; sleep %g; echo go on >&2; exit 2`, seconds)
}

// setHooks makes the home's settings: settings, with commands as the hooks of event.
func (h *host) setHooks(t *testing.T, settings map[string]any, event string, commands ...string) {
	t.Helper()
	all := make(map[string]any)
	maps.Copy(all, settings)
	var hooks []any
	for _, command := range commands {
		hooks = append(hooks, map[string]any{"type": "command", "command": command})
	}
	if hooks != nil {
		all["hooks"] = map[string]any{event: []any{map[string]any{"hooks": hooks}}}
	}
	b, err := json.Marshal(all)
	must(t, err)
	writeFile(t, filepath.Join(h.home, ".claude", "settings.json"), string(b))
}

// TestAStopHookComesLater: the home's settings get a hook that objects while the agent
// waits for its next prompt. Whether the agent has noticed or not, the turn ends with its
// last answer.
func TestAStopHookComesLater(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !itsTurn(0, version, terminal) {
			return
		}
		is := is.New(t)
		h := newHost(t, version, terminal)
		objected := func() bool {
			_, err := os.Stat(filepath.Join(h.home, "objected"))
			return err == nil
		}
		api := standin.Start(func(r standin.Request) standin.Reply {
			switch {
			case r.IsTitle():
				return standin.TitleReply
			case objected():
				return standin.Reply{Text: "second"}
			}
			return standin.Reply{Text: "first"}
		})
		defer api.Close()
		ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
		defer cancel()
		talk, err := h.runner.Open(ctx, tuiturn.Request{WorkDir: h.workDir(t), Env: []string{"ANTHROPIC_BASE_URL=" + api.URL}, NoTools: true})
		is.NoErr(err)
		defer talk.Close()
		for range 2 {
			res, err := talk.Turn(ctx, tuiturn.TurnRequest{Prompt: "Say something."})
			is.NoErr(err)
			is.Equal(res.Text, "first")
		}
		h.setHooks(t, nil, "Stop", objecting(0.5))
		for range 4 { // the agent may take a while to notice
			res, err := talk.Turn(ctx, tuiturn.TurnRequest{Prompt: "Say something."})
			is.NoErr(err)
			if objected() {
				is.Equal(res.Text, "second")
				return
			}
			is.Equal(res.Text, "first")
		}
		t.Log("the agent has not noticed the hook")
	})
}

// TestEndOfTurn: an operator's own settings, which are in the home, have hooks
// that take their time and object, or none at all, and a screen on which nothing
// moves. The turn ends with the last answer, not before and soon after it.
func TestEndOfTurn(t *testing.T) {
	t.Parallel()
	twice := func(n int) standin.Reply {
		if n == 0 {
			return standin.Reply{Text: "first\nanswer"}
		}
		return standin.Reply{Text: "second\nanswer"}
	}
	once := func(int) standin.Reply { return standin.Reply{Text: "second\nanswer"} }
	cases := []struct {
		name     string
		settings map[string]any
		hooks    []string
		reply    func(n int) standin.Reply
	}{
		{"a slow hook objects and nothing moves", map[string]any{"prefersReducedMotion": true}, []string{objecting(2.5)}, twice},
		{"several hooks", nil, []string{"sleep 1; exit 1", objecting(1.5), "sleep 2", "cat >/dev/null; echo hi"}, twice},
		{"a request is repeated, and then takes long", map[string]any{"prefersReducedMotion": true}, nil, func(n int) standin.Reply {
			if n == 0 {
				return standin.Reply{Status: 529, Message: "overloaded"}
			}
			return standin.Reply{Text: "second\nanswer", Delay: 15 * time.Second}
		}},
		{"hooks are off", map[string]any{"disableAllHooks": true}, []string{objecting(0)}, once},
	}
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		for i, c := range cases { // the third is 2.1.330's above all, which records no retries
			if !itsTurn(i, version, terminal) || i > 0 && !oneVersion(i, version) {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				h := newHost(t, version, terminal)
				h.setHooks(t, c.settings, "Stop", c.hooks...)
				n := -1
				x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Say something.", NoTools: true}, func(standin.Request) standin.Reply {
					n++
					return c.reply(n)
				})
				is.NoErr(x.err)
				is.Equal(x.res.Text, "second\nanswer")
			})
		}
	})
}
