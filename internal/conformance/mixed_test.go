package conformance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

// A kind is one way in which a turn can go.
type kind struct {
	name  string
	reply func(n int, work string) standin.Reply // to the n-th request, from 0

	text     string // of the Result
	asides   []string
	err      error           // that the turn's is
	apiError int             // the status of an *APIError; -1 for one of any
	diverges bool            // may diverge, with the right text
	req      tuiturn.Request // but for the prompt
}

// read is a tool use that needs no permission and finds nothing.
func read(work string) standin.ToolUse {
	return standin.ToolUse{Name: "Read", Input: map[string]string{"file_path": filepath.Join(work, "notes.txt")}}
}

var (
	lines    = strings.Repeat("A line of the answer, with *some* `words` in it.\n", 60) + "And the end, without one."
	markdown = "# Head\n\n  That *the* harbour is closed.\n\n```go\nfunc x() {\n\treturn 1\n}\n```\n\n| a | b |\n|---|---|\n| é | 漢字 👩🏽‍💻 |\n\n1. one\n2. two  \n\n\n  "
)

var kinds = []kind{
	{
		name:  "one line",
		reply: func(int, string) standin.Reply { return standin.Reply{Text: "It is 42."} },
		text:  "It is 42.",
	},
	{
		name: "markdown in small pieces",
		reply: func(int, string) standin.Reply {
			return standin.Reply{Text: markdown, Piece: 5, PieceDelay: 5 * time.Millisecond}
		},
		text: markdown,
	},
	{
		name: "many lines",
		reply: func(int, string) standin.Reply {
			return standin.Reply{Text: lines, Piece: 40, PieceDelay: 5 * time.Millisecond}
		},
		text: lines,
	},
	{
		name: "several blocks",
		reply: func(int, string) standin.Reply {
			return standin.Reply{Thinking: "Hm.", Text: "one\ntwo", More: []string{"three\nfour", "\nfive"}, PieceDelay: 100 * time.Millisecond}
		},
		text: "one\ntwothree\nfour\nfive",
	},
	{
		name: "narration and tools",
		reply: func(n int, work string) standin.Reply {
			switch n {
			case 0:
				return standin.Reply{Text: "I am going to look.\nAt once.\n", Tools: []standin.ToolUse{read(work), read(work)}}
			case 1:
				return standin.Reply{Tools: []standin.ToolUse{read(work)}}
			case 2:
				return standin.Reply{Text: "And there.", Tools: []standin.ToolUse{read(work)}, Delay: 150 * time.Millisecond}
			}
			return standin.Reply{Text: "That the harbour\nis closed.", Piece: 4, PieceDelay: 20 * time.Millisecond}
		},
		text:   "That the harbour\nis closed.",
		asides: []string{"I am going to look.\nAt once.\n", "And there."},
	},
	{
		name: "cut and continued",
		reply: func(n int, _ string) standin.Reply {
			reply := standin.Reply{Text: "the end"}
			if n < 2 {
				reply = standin.Reply{Text: fmt.Sprintf("part %d\nand ", n), StopReason: "max_tokens"}
			}
			if n > 0 {
				// No model answers at once. Else part 1 can be shown before part 0,
				// and the stream diverges.
				reply.Delay = 200 * time.Millisecond
			}
			return reply
		},
		text: "part 0\nand part 1\nand the end",
	},
	{
		name: "cut for good",
		reply: func(int, string) standin.Reply {
			return standin.Reply{Text: "one, two, ", StopReason: "max_tokens"}
		},
		text: "one, two, one, two, one, two, one, two, ",
		err:  tuiturn.ErrTruncated,
	},
	{
		name: "refused",
		reply: func(int, string) standin.Reply {
			return standin.Reply{Text: "I would rather", StopReason: "refusal"}
		},
		text: "I would rather",
		err:  tuiturn.ErrRefused,
	},
	{
		name:     "unauthorized",
		reply:    func(int, string) standin.Reply { return standin.Reply{Status: 401, Message: "no"} },
		err:      tuiturn.ErrAuthentication,
		apiError: 401,
	},
	{
		name:     "a bad request",
		reply:    func(int, string) standin.Reply { return standin.Reply{Status: 400, Message: "no"} },
		apiError: -1, // 2.1.104 records no status of what it does not repeat
	},
	{
		name: "overloaded, then not",
		reply: func(n int, _ string) standin.Reply {
			if n == 0 {
				return standin.Reply{Status: 529, Message: "overloaded"}
			}
			return standin.Reply{Text: "At last."}
		},
		text: "At last.",
	},
	{
		name: "a connection that breaks before it says anything",
		reply: func(n int, _ string) standin.Reply {
			if n == 0 {
				return standin.Reply{Drop: true}
			}
			return standin.Reply{Text: "whole\nanswer"}
		},
		text: "whole\nanswer",
	},
	{
		name: "a connection that breaks in mid-answer",
		reply: func(n int, _ string) standin.Reply {
			if n == 0 {
				return standin.Reply{Text: strings.Repeat("a piece\n", 500), Drop: true, DropAfter: 5, Piece: 20, PieceDelay: 100 * time.Millisecond}
			}
			return standin.Reply{Text: "whole\nanswer"}
		},
		text:     "whole\nanswer",
		diverges: true,
	},
	{
		name: "a tool that does not exist",
		reply: func(n int, work string) standin.Reply {
			if n == 0 {
				return standin.Reply{Text: "Let me.", Tools: []standin.ToolUse{{Name: "Nonesuch"}}}
			}
			return standin.Reply{Text: "There is no such tool."}
		},
		text:   "There is no such tool.",
		asides: []string{"Let me."},
		req:    tuiturn.Request{NoTools: true},
	},
}

// TestMixedTurns runs turns of all kinds: each once on two versions, over one of the
// terminals, streamed; 200 a version with TUITURN_LONG, half of them streamed. The outcome
// must be the kind's, what was streamed the text of the Result, and the Result what the
// transcript says when the agent has ended.
func TestMixedTurns(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		h := newHost(t, version, terminal)
		t.Cleanup(func() {
			if drift := h.runner.Stats().Drift; len(drift) > 0 {
				t.Errorf("the transcripts hold what is not known: %v", drift)
			}
		})
		if !long() {
			for i, k := range kinds {
				if itsTurn(i, version, terminal) && twoVersions(i, version) {
					t.Run(k.name, func(t *testing.T) {
						t.Parallel()
						h.mixed(t, k, true)
					})
				}
			}
			return
		}
		const turns = 100 // on each of the two terminals
		rng := rand.New(rand.NewPCG(uint64(len(version)), uint64(len(terminal))))
		for n := range turns {
			k := kinds[rng.IntN(len(kinds))]
			t.Run(fmt.Sprintf("%03d %s", n, k.name), func(t *testing.T) {
				t.Parallel()
				h.mixed(t, k, n%2 == 0)
			})
		}
	})
}

// mixed runs a turn of one kind.
func (h *host) mixed(t *testing.T, k kind, streamed bool) {
	var text strings.Builder
	var asides []string
	message := 0
	req := k.req
	req.WorkDir = h.workDir(t)
	req.Prompt = "Say something, " + filepath.Base(t.Name())
	req.Env = append(req.Env, "CLAUDE_CODE_MAX_RETRIES=2")
	if !streamed && len(k.reply(0, req.WorkDir).Tools) == 0 {
		req.NoTools = true // such turns end with the report of the only Stop hook
	}
	if streamed {
		req.OnDelta = func(d tuiturn.Delta) {
			switch {
			case d.Message != message:
				t.Errorf("%+v in message %d", d, message)
			case d.Aside:
				asides = append(asides, text.String())
				text.Reset()
				message++
			default:
				text.WriteString(d.Text)
			}
		}
	}
	var mu sync.Mutex
	n := -1
	x := h.turn(t, t.Context(), req, func(standin.Request) standin.Reply {
		mu.Lock()
		defer mu.Unlock()
		n++
		return k.reply(n, req.WorkDir)
	})

	if x.res.Text != k.text {
		t.Errorf("the answer is %q, want %q", x.res.Text, k.text)
	}
	var diverged *tuiturn.DivergenceError
	if errors.As(x.err, &diverged) && k.diverges {
		return
	}
	var api *tuiturn.APIError
	switch isAPI := errors.As(x.err, &api); {
	case k.err == nil && k.apiError == 0 && x.err != nil, k.err != nil && !errors.Is(x.err, k.err):
		t.Errorf("error %v, want %v", x.err, k.err)
	case k.apiError != 0 && !isAPI:
		t.Errorf("error %v, want an *APIError", x.err)
	case k.apiError > 0 && api.Status != k.apiError:
		t.Errorf("status %d, want %d", api.Status, k.apiError)
	}
	if !streamed {
		return
	}
	if x.err == nil && text.String() != x.res.Text || !strings.HasPrefix(x.res.Text, text.String()) {
		t.Errorf("streamed %q, the answer is %q", text.String(), x.res.Text)
	}
	// What is said on the way is not the same each time where a connection breaks,
	// and from 2.1.152 on the report of the answer can overtake that of what leads
	// to it, which is then not told.
	if k.err != nil || k.diverges {
		return
	}
	rest := k.asides
	for _, aside := range asides {
		i := slices.Index(rest, aside)
		if i < 0 {
			t.Errorf("said on the way: %q, want %q", asides, k.asides)
			break
		}
		rest = rest[i+1:]
	}
	if h.version == "2.1.104" && len(asides) < len(k.asides) {
		t.Errorf("said on the way: %q, want %q", asides, k.asides)
	}
}
