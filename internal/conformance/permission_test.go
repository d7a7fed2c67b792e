package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

var (
	allow = tuiturn.Decision{Verdict: tuiturn.AllowOnce}
	deny  = tuiturn.Decision{Verdict: tuiturn.Deny}
	tell  = tuiturn.Decision{Verdict: tuiturn.Deny, Message: "1. not \"this\" way: /help @notes.txt !ls\nuse mv, s'il te plaît"}
)

// TestPermission has agents ask for permissions, and the host decide.
func TestPermission(t *testing.T) {
	bash := func(command string) func(string) standin.ToolUse {
		return func(string) standin.ToolUse {
			return standin.ToolUse{Name: "Bash", Input: map[string]string{"command": command, "description": "Does it"}}
		}
	}
	write := func(name string) func(string) standin.ToolUse {
		return func(work string) standin.ToolUse {
			return standin.ToolUse{Name: "Write", Input: map[string]string{"file_path": filepath.Join(work, name), "content": "❯ 1. Yes\n  2. No\n"}}
		}
	}
	fetch := func(string) standin.ToolUse {
		return standin.ToolUse{Name: "WebFetch", Input: map[string]string{"url": "http://127.0.0.1:9/", "prompt": "what"}}
	}
	long := "echo x >>made" + strings.Repeat("\necho a line of it >>log", 60)
	const written = "❯ 1. Yes\n  2. No\n"
	cases := []struct {
		name      string
		uses      []func(work string) standin.ToolUse
		decisions []tuiturn.Decision
		asked     int // how often; 0: once for each use
		made      map[string]string
		results   []string // of the uses, as the model is told
		err       error
		cancelled bool // of 2.1.158: what comes behind the told one has no say
	}{
		{name: "Bash allowed", uses: uses(bash("echo x >>made")), decisions: list(allow), made: files{"made": "x\n"}, results: []string{"ran"}},
		{name: "Write allowed", uses: uses(write("made")), decisions: list(allow), made: files{"made": written}, results: []string{"ran"}},
		{name: "Bash denied", uses: uses(bash("echo x >>made")), decisions: list(deny), err: tuiturn.ErrInterrupted},
		{name: "Write denied", uses: uses(write("made")), decisions: list(deny), err: tuiturn.ErrInterrupted},
		{name: "WebFetch denied", uses: uses(fetch), decisions: list(deny), err: tuiturn.ErrInterrupted},
		{name: "Bash denied with a message", uses: uses(bash("echo x >>made")), decisions: list(tell), results: []string{"told"}},
		{name: "Write denied with a message", uses: uses(write("made")), decisions: list(tell), results: []string{"told"}},
		{name: "WebFetch denied with a message", uses: uses(fetch), decisions: list(tell), results: []string{"told"}},
		{
			name: "one allowed, one denied", uses: uses(bash("echo x >>made"), write("other")), decisions: list(allow, deny),
			made: files{"made": "x\n"}, err: tuiturn.ErrInterrupted,
		},
		{
			name: "one denied with a message, one allowed", uses: uses(bash("echo x >>made"), write("other")), decisions: list(tell, allow),
			made: files{"other": written}, results: []string{"told", "ran"},
		},
		{
			name: "one told, one cancelled", uses: uses(bash("echo x >>made"), write("other")), decisions: list(tell, allow), asked: 1,
			results: []string{"told", "cancelled"}, cancelled: true,
		},
		{
			name: "the same three times", uses: uses(bash("echo x >>made"), bash("echo x >>made"), bash("echo x >>made")), decisions: list(allow, tell, allow),
			made: files{"made": "x\nx\n"}, results: []string{"ran", "told", "ran"},
		},
		{
			name: "the same, told and cancelled", uses: uses(bash("echo x >>made"), bash("echo x >>made"), bash("echo x >>made")), decisions: list(allow, tell, allow), asked: 2,
			made: files{"made": "x\n"}, results: []string{"ran", "told", "cancelled"}, cancelled: true,
		},
		{
			name: "the same, and no more", uses: uses(bash("echo x >>made"), bash("echo x >>made"), bash("echo x >>made")), decisions: list(allow, deny), asked: 2,
			made: files{"made": "x\n"}, err: tuiturn.ErrInterrupted,
		},
		{
			name: "a command that fills the screen", uses: uses(bash(long)), decisions: list(allow),
			made: files{"made": "x\n", "log": strings.Repeat("a line of it\n", 60)}, results: []string{"ran"},
		},
		{name: "undecided", uses: uses(bash("echo x >>made")), decisions: list(tuiturn.Decision{}), err: tuiturn.ErrUndecided},
	}
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		for i, c := range cases {
			told := slices.Index(c.decisions, tell)
			if told >= 0 && told < len(c.uses)-1 && c.cancelled != (version == "2.1.158") {
				continue
			}
			if i > 1 && (!itsTurn(i, version, terminal) || told < 0 && !twoVersions(i, version)) {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				h := newHost(t, version, terminal)
				work := h.workDir(t)
				var tools []standin.ToolUse
				for _, use := range c.uses {
					tools = append(tools, use(work))
				}
				var mu sync.Mutex
				var asked []tuiturn.PermissionRequest
				var replied time.Time // last
				decide := func(_ context.Context, req tuiturn.PermissionRequest) (tuiturn.Decision, error) {
					mu.Lock()
					defer mu.Unlock()
					asked = append(asked, req)
					if len(asked) == 1 {
						t.Logf("asked %v after the model's answer", time.Since(replied).Round(time.Millisecond))
					}
					return c.decisions[min(len(asked), len(c.decisions))-1], nil
				}
				x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Do it.", WorkDir: work, OnPermission: decide}, func(r standin.Request) standin.Reply {
					switch {
					case !r.HasTools():
						return standin.Reply{Text: "none"}
					case len(r.ToolResults()) == 0:
						mu.Lock()
						defer mu.Unlock()
						replied = time.Now()
						return standin.Reply{Text: "I am going to.", Tools: tools}
					}
					return standin.Reply{Text: "It is done."}
				})

				if c.err == nil {
					is.NoErr(x.err)
					is.Equal(x.res.Text, "It is done.")
				} else {
					if !errors.Is(x.err, c.err) {
						t.Errorf("got %v, want %v", x.err, c.err)
					}
				}
				want := len(c.uses)
				if c.asked > 0 {
					want = c.asked
				}
				is.Equal(len(asked), want) // each use is asked about once
				for i, req := range asked {
					is.Equal(req.Tool, tools[i].Name)
					var input map[string]string
					is.NoErr(json.Unmarshal(req.Input, &input))
					is.Equal(input, tools[i].Input)
					is.True(len(req.Options) > 2 && slices.Contains(req.Options, "Yes"))
					is.True(req.Highlighted >= 0)
					is.True(strings.Contains(req.Screen, "Do you want to"))
				}
				made := make(map[string]string)
				for path := range snapshot(t, work) {
					b, err := os.ReadFile(path)
					is.NoErr(err)
					made[filepath.Base(path)] = string(b)
				}
				if c.made == nil {
					c.made = files{}
				}
				is.Equal(made, c.made)

				var results []string
				for _, r := range x.asked()[len(x.asked())-1].ToolResults() {
					switch {
					case !r.IsError:
						results = append(results, "ran")
					case strings.HasSuffix(r.Text, "the user said:\n"+tell.Message):
						results = append(results, "told")
					case strings.Contains(r.Text, "Cancelled: parallel tool call"):
						results = append(results, "cancelled")
					default:
						results = append(results, r.Text)
					}
				}
				is.Equal(results, c.results)
				is.True(x.res.Timings.Total < time.Minute)
			})
		}
	})
}

type files = map[string]string

func list(d ...tuiturn.Decision) []tuiturn.Decision { return d }

func uses(u ...func(string) standin.ToolUse) []func(string) standin.ToolUse { return u }
