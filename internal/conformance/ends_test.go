package conformance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

// TestEndsThatNothingRecords are turns that stop without an answer, in a way that
// some versions do not record, or record nowhere but in a line of their own. None is
// waited for, and each error says what is known.
func TestEndsThatNothingRecords(t *testing.T) {
	t.Parallel()
	const halt = `echo '{"continue":false,"stopReason":"not today"}'`
	read := func(then standin.Reply) func(r standin.Request, work string) standin.Reply {
		return func(r standin.Request, work string) standin.Reply {
			if len(r.ToolResults()) > 0 {
				return then
			}
			return standin.Reply{Text: "I am going to look.", Tools: []standin.ToolUse{
				{Name: "Read", Input: map[string]string{"file_path": filepath.Join(work, "notes.txt")}},
			}}
		}
	}
	always := func(reply standin.Reply) func(standin.Request, string) standin.Reply {
		return func(standin.Request, string) standin.Reply { return reply }
	}
	empty, emptyUse := standin.Reply{NoBlocks: true}, standin.Reply{NoBlocks: true, StopReason: "tool_use"}
	cases := []struct {
		name        string
		event, hook string
		reply       func(standin.Request, string) standin.Reply
		err         error
	}{
		{"an empty message", "", "", always(empty), tuiturn.ErrNoAnswer},
		{"an empty message that is to use a tool", "", "", always(emptyUse), tuiturn.ErrNoAnswer},
		{"an empty message after a tool", "", "", read(empty), tuiturn.ErrNoAnswer},
		{"an empty message after a tool that is to use another", "", "", read(emptyUse), tuiturn.ErrNoAnswer},
		{"a prompt is blocked", "UserPromptSubmit", "echo not today >&2; exit 2", always(empty), tuiturn.ErrNotAccepted},
		{"a prompt is blocked by a decision", "UserPromptSubmit", `echo '{"decision":"block","reason":"not today"}'`, always(empty), tuiturn.ErrNotAccepted},
		{"a prompt is stopped", "UserPromptSubmit", halt, always(empty), tuiturn.ErrNoAnswer},
		{"a tool is stopped", "PreToolUse", halt, read(standin.Reply{Text: "done"}), tuiturn.ErrNoAnswer},
		{"a tool's result is stopped", "PostToolUse", halt, read(standin.Reply{Text: "done"}), tuiturn.ErrNoAnswer},
	}
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		for i, c := range cases {
			if !itsTurn(i, version, terminal) {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				h := newHost(t, version, terminal)
				ran := filepath.Join(h.dir, "ran")
				if c.event != "" {
					h.setHooks(t, nil, c.event, "echo x >>'"+ran+"'; "+c.hook)
				}
				work := h.workDir(t)
				writeFile(t, filepath.Join(work, "notes.txt"), "a note\n")
				x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "What do my notes say?", WorkDir: work}, func(r standin.Request) standin.Reply {
					return c.reply(r, work)
				})
				t.Logf("%v; submitted in %v, answered in %v", x.err, x.res.Timings.Submit, x.res.Timings.Answer)
				var api *tuiturn.APIError
				is.True(errors.Is(x.err, c.err) || errors.As(x.err, &api)) // 2.1.330 makes an error of some of its own
				is.True(x.res.Timings.Submit+x.res.Timings.Answer < time.Minute)
				if c.event != "" {
					b, _ := os.ReadFile(ran)
					is.Equal(string(b), "x\n") // the hook ran once
					var e *tuiturn.Error
					is.True(errors.As(x.err, &e))
					is.True(strings.Contains(e.Error()+e.Screen, "not today")) // and its reason is known
				}
			})
		}
	})
}
