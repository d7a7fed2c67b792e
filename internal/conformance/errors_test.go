package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

// TestErrors runs failures whose cause lies outside of the turn.
func TestErrors(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		run  func(*testing.T, *host)
		both bool
	}{
		{"usage limit", usageLimit, false},
		{"wait past the deadline", waitPastTheDeadline, false},
		{"question", question, false},
		{"settings with errors", settingsWithErrors, false},
		{"small terminal", smallTerminal, true},
	}
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		for i, c := range cases {
			if !c.both && !itsTurn(i, version, terminal) {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, newHost(t, version, terminal))
			})
		}
	})
}

// usageLimit: the account's limit is reached, until three hours from now.
func usageLimit(t *testing.T, h *host) {
	is := is.New(t)
	reset := fmt.Sprint(time.Now().Add(3 * time.Hour).Unix())
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Hello?"}, func(standin.Request) standin.Reply {
		return standin.Reply{Status: 429, Message: "This request would exceed your account's rate limit.", Header: http.Header{
			"Anthropic-Ratelimit-Unified-Status":               {"rejected"},
			"Anthropic-Ratelimit-Unified-Reset":                {reset},
			"Anthropic-Ratelimit-Unified-Representative-Claim": {"five_hour"},
			"Retry-After": {"10800"},
		}}
	})
	var api *tuiturn.APIError
	if !errors.As(x.err, &api) {
		t.Fatalf("not the service's failure: %v", x.err)
	}
	is.Equal(api.Kind, "rate_limit")
	is.True(api.Retryable())
	is.Equal(len(x.asked()), 1)
}

// waitPastTheDeadline: the service asks to wait for a minute, and nobody waits
// that long. 2.1.104 and 2.1.158 record the wait, so that the turn ends at once;
// the others show it.
func waitPastTheDeadline(t *testing.T, h *host) {
	is := is.New(t)
	records := h.version == "2.1.104" || h.version == "2.1.158"
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	wait := fmt.Sprint(2 * turnTimeout.Seconds())
	if !records {
		wait = "60" // for longer they don't wait
	}
	x := h.turn(t, ctx, tuiturn.Request{Prompt: "Hello?"}, func(standin.Request) standin.Reply {
		if !records {
			time.AfterFunc(20*time.Second, func() { cancel(context.DeadlineExceeded) }) // when the screen shows it
		}
		return standin.Reply{Status: 529, Message: "slow down", Header: http.Header{"Retry-After": {wait}}}
	})
	var api *tuiturn.APIError
	if !errors.As(x.err, &api) {
		t.Fatalf("not the service's failure: %v", x.err)
	}
	is.True(api.Retryable())
	is.True(api.Attempts <= 1)
	is.Equal(errors.Is(x.err, context.DeadlineExceeded), !records)
	is.Equal(len(x.asked()), 1)
}

// question: the model asks a person in mid-turn.
func question(t *testing.T, h *host) {
	is := is.New(t)
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Hello?"}, func(standin.Request) standin.Reply {
		option := func(label string) any {
			return map[string]any{"label": label, "description": "Sign in: trust the theme"}
		}
		return standin.Reply{Text: "Let me ask.", Tools: []standin.ToolUse{{Name: "AskUserQuestion", Input: map[string]any{
			"questions": []any{map[string]any{"question": "Which colour?", "header": "Login", "multiSelect": false,
				"options": []any{option("Red"), option("Blue")}}},
		}}}}
	})
	var blocked *tuiturn.BlockedError
	is.True(errors.As(x.err, &blocked))
	is.Equal(blocked.Kind, "question")
	is.True(!errors.Is(x.err, tuiturn.ErrAuthentication)) // whatever the model writes
	is.Equal(blocked.Options[:2], []string{"Red", "Blue"})
	is.True(strings.Contains(x.err.Error(), "AskUserQuestion"))
}

func settingsWithErrors(t *testing.T, h *host) {
	is := is.New(t)
	file := filepath.Join(h.home, ".claude", "settings.json")
	writeFile(t, file, `{"permissions":{"defaultMode":"nonsense"}}`)
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Hello?"}, say("hello"))
	var blocked *tuiturn.BlockedError
	is.True(errors.As(x.err, &blocked))
	is.Equal(blocked.Kind, "settings")
	is.True(strings.Contains(x.err.Error(), file))
	is.True(strings.Contains(x.err.Error(), "defaultMode"))
	var exit *tuiturn.ExitError
	is.True(!errors.As(x.err, &exit)) // it was not declined
}

// smallTerminal: while a turn runs, somebody makes the terminal small (tmux), or a
// program in it does (stty).
func smallTerminal(t *testing.T, h *host) {
	is := is.New(t)
	asked := 0
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Hello?"}, func(r standin.Request) standin.Reply {
		if asked++; asked == 1 {
			shrink(t, h)
		}
		return standin.Reply{Text: "hello", Delay: 5 * time.Second}
	})
	is.NoErr(x.err)
	is.Equal(x.res.Text, "hello")
}

// shrink makes the terminal of h's agent 20 by 4.
func shrink(t *testing.T, h *host) {
	if h.runner.Terminal == tuiturn.Tmux {
		sockets, _ := filepath.Glob(filepath.Join(h.temp, "*", "*"))
		deeper, _ := filepath.Glob(filepath.Join(h.temp, "*", "*", "*"))
		for _, socket := range append(sockets, deeper...) {
			if info, err := os.Stat(socket); err == nil && info.Mode()&os.ModeSocket != 0 {
				out, err := exec.Command("tmux", "-f", "/dev/null", "-S", socket, "list-panes", "-a", "-F", "#{pane_id} #{session_name}").Output()
				for row := range strings.Lines(string(out)) {
					if id, name, _ := strings.Cut(strings.TrimSpace(row), " "); err == nil && strings.HasPrefix(name, "turn-") {
						out, err := exec.Command("tmux", "-f", "/dev/null", "-S", socket, "resize-window", "-t", id, "-x", "20", "-y", "4").CombinedOutput()
						if err != nil {
							t.Errorf("%v: %s", err, out)
						}
						return
					}
				}
			}
		}
		t.Error("no session to make small")
		return
	}
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, _ := os.ReadFile(file)
		tty, err := os.Readlink(filepath.Dir(file) + "/fd/0")
		if err == nil && strings.Contains(string(env), "HOME="+h.home+"\x00") && strings.HasPrefix(tty, "/dev/pts/") {
			if out, err := exec.Command("stty", "-F", tty, "cols", "20", "rows", "4").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			return
		}
	}
	t.Error("no terminal to make small")
}
