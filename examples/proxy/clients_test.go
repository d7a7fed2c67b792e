package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/internal/standin"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// The official clients are not part of the module. TUITURN_CLIENTS names a
// directory that they are installed in,
//
//	npm install --prefix DIR openai@6.49.0 @anthropic-ai/sdk@1.14.0
//
// and TUITURN_AGENTS one with agents, as internal/conformance has it.
func needClients(t *testing.T) {
	t.Helper()
	for _, name := range []string{"TUITURN_CLIENTS", "TUITURN_AGENTS"} {
		if !filepath.IsAbs(os.Getenv(name)) {
			t.Skipf("no official clients, or no agents: name the directory that they are installed in, as this file says, in %s", name)
		}
	}
}

// A came is what came of a case with an official client.
type came struct {
	Case, Text, Stop, Model, Hash    string
	Tokens, Pieces                   int
	IDs                              []string
	Error, Type, Message, RetryAfter string
	Status                           int
}

// clients runs cases of testdata/clients.mjs.
func (p *running) clients(cases ...string) map[string]came {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{"testdata/clients.mjs"}, cases...)...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + p.t.TempDir(), "TUITURN_CLIENTS=" + os.Getenv("TUITURN_CLIENTS"),
		"PROXY_URL=" + p.url, "PROXY_KEY=" + p.key,
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("%v: %s%s\n%s", err, out, errs.String(), p.log)
	}
	all := make(map[string]came)
	for line := range strings.Lines(string(out)) {
		var c came
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			p.t.Fatalf("%v: %s", err, line)
		}
		all[c.Case] = c
	}
	if len(all) != len(cases) {
		p.t.Fatalf("%d cases of %q", len(all), cases)
	}
	return all
}

// startReal starts a proxy whose agent is a real one, and whose service is a
// stand-in that goes by what the prompt begins with.
func startReal(t *testing.T, version, terminal string) (*running, *standin.Server) {
	t.Helper()
	if terminal == "tmux" {
		tmuxtest.Require(t)
	}
	api := standin.Start(func(r standin.Request) standin.Reply {
		prompt := r.Prompt()
		what, _, _ := strings.Cut(prompt, "\n")
		usage := standin.Usage{InputTokens: 3, OutputTokens: 5}
		switch {
		case r.IsTitle():
			return standin.TitleReply
		case what == "streamed":
			return standin.Reply{Text: "one\ntwo\nthree", Piece: 4, PieceDelay: 700 * time.Millisecond, Usage: usage}
		case what == "cancelled":
			return standin.Reply{Text: strings.Repeat("a line of an answer that is too long\n", 1000), Piece: 38, PieceDelay: 100 * time.Millisecond}
		case what == "refused":
			return standin.Reply{Status: 400, Message: "no such thing"}
		case what == "large":
			return standin.Reply{Text: fmt.Sprintf("%x", sha256.Sum256([]byte(prompt))), Usage: usage}
		}
		return standin.Reply{Text: "You said: " + what, Usage: usage}
	})
	t.Cleanup(api.Close)
	dir, err := os.MkdirTemp("", "c-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return launch(t, proxy{
		home: dir,
		environ: []string{
			"PATH=" + os.Getenv("PATH"), keyVar + "=a-key-of-the-clients",
			"CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-dummy-of-the-proxy",
		},
	}, "-agent", filepath.Join(os.Getenv("TUITURN_AGENTS"), version, "node_modules", ".bin", "claude"),
		"-terminal", terminal, "-turns", "3", "-env", "ANTHROPIC_BASE_URL="+api.URL), api
}

// TestOfficialClients is the proxy as it is used: the clients that it is for, and
// the agents.
func TestOfficialClients(t *testing.T) {
	needClients(t)
	t.Parallel()
	t.Run("2.1.332", func(t *testing.T) {
		t.Parallel()
		p, api := startReal(t, "2.1.332", "tmux")
		var cases []string
		for _, what := range []string{"models", "whole", "streamed", "cancelled", "large", "conversation", "refused", "wrongKey"} {
			cases = append(cases, "openai."+what, "anthropic."+what)
		}
		got := p.clients(cases...)
		for _, client := range []string{"openai", "anthropic"} {
			stop := map[string]string{"openai": "stop", "anthropic": "end_turn"}[client]
			check := func(what string, f func(is *is.I, c came)) {
				t.Run(client+"/"+what, func(t *testing.T) { f(is.New(t), got[client+"."+what]) })
			}
			check("models", func(is *is.I, c came) { is.Equal(c.IDs, []string{"opus", "sonnet", "haiku"}) })
			check("whole", func(is *is.I, c came) {
				is.Equal(c.Text, "You said: whole")
				is.Equal(c.Stop, stop)
				is.Equal(c.Model, "claude-test-1")
				is.Equal(c.Tokens, 8)
			})
			check("streamed", func(is *is.I, c came) {
				is.Equal(c.Text, "one\ntwo\nthree")
				is.Equal(c.Stop, stop)
				is.Equal(c.Tokens, 8)
				is.True(c.Pieces > 1)
			})
			check("cancelled", func(is *is.I, c came) { is.True(strings.HasPrefix(c.Text, "a line")) })
			check("large", func(is *is.I, c came) { is.Equal(c.Text, c.Hash) })
			check("conversation", func(is *is.I, c came) {
				_, prompt := render([]message{{"user", "", "conversation"}, {"assistant", "", "Hello </message>"}, {"user", "", "and\nso on"}})
				is.True(slices.ContainsFunc(api.Requests(), func(r standin.Request) bool {
					return r.Prompt() == strings.TrimSpace(prompt) && strings.Contains(string(r.Body), "Be brief.")
				}))
			})
			check("refused", func(is *is.I, c came) {
				is.Equal(c.Error, "BadRequestError")
				is.Equal(c.Type, "invalid_request_error")
				is.True(strings.Contains(c.Message, "no such thing"))
			})
			check("wrongKey", func(is *is.I, c came) { is.Equal(c.Error, "AuthenticationError") })
		}
		p.until("cancelled", func(s tuiturn.Stats) bool { return s.Turns["canceled"] == 2 && s.Running == 0 })
	})
	for version, name := range map[string]string{"2.1.104": "anthropic.streamed", "2.1.158": "openai.streamed"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			p, _ := startReal(t, version, "pty")
			is.New(t).Equal(p.clients(name)[name].Text, "one\ntwo\nthree")
		})
	}
}

// What no service is needed for: the queue, and a stream that breaks.
func TestOfficialClientsFail(t *testing.T) {
	needClients(t)
	t.Parallel()
	is := is.New(t)
	p := start(t, fakeagent.Turn{Hang: true}, "-turns", "1", "-waiting", "0")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go p.send(ctx, "/v1/messages", hello)
	p.until("running", func(s tuiturn.Stats) bool { return s.Running == 1 })
	for _, c := range p.clients("openai.refused", "anthropic.refused") {
		is.Equal(c.Error, "RateLimitError") // c.Case
		is.Equal(c.RetryAfter, "5")
	}
	p = start(t, fakeagent.Turn{Text: "one\ntwo", ShowDelay: 200 * time.Millisecond, End: &fakeagent.End{At: fakeagent.AtHalf, Status: 3}})
	for _, c := range p.clients("openai.broken", "anthropic.broken") {
		is.True(strings.HasSuffix(c.Error, "APIError")) // c.Case
		is.True(strings.Contains(c.Message, "ended by itself with status 3"))
	}
}
