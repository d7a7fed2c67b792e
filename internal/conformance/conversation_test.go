package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
	"github.com/tuiturn/tuiturn/transcript"
)

// A talk is a conversation with a real agent and the service that answers it.
type talk struct {
	*tuiturn.Conversation
	t    *testing.T
	h    *host
	work string
	api  *standin.Server
	told []string // what the agent is to know, prompts and answers in turns
}

// newTalk opens a conversation with a service that answers each prompt with
// "heard: " and it, unless f has another reply.
func newTalk(t *testing.T, h *host, req tuiturn.Request, f func(prompt string) *standin.Reply) *talk {
	t.Helper()
	c := &talk{t: t, h: h, work: h.workDir(t)}
	c.api = standin.Start(func(r standin.Request) standin.Reply {
		if r.IsTitle() {
			return standin.TitleReply
		}
		if len(r.ToolResults()) > 0 { // a prompt in the same message is not seen
			return standin.Reply{Text: "no tool then"}
		}
		if reply := f(r.Prompt()); reply != nil {
			return *reply
		}
		return standin.Reply{Text: "heard: " + r.Prompt()}
	})
	t.Cleanup(c.api.Close)
	ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
	defer cancel()
	var err error
	c.Conversation, err = h.runner.Open(ctx, c.request(req))
	must(t, err)
	return c
}

func (c *talk) request(req tuiturn.Request) tuiturn.Request {
	req.WorkDir = c.work
	req.Env = append(req.Env, "ANTHROPIC_BASE_URL="+c.api.URL)
	return req
}

// again closes the host's Runner, as its end would, and goes on with another.
func (c *talk) again() {
	c.t.Helper()
	must(c.t, c.h.runner.Close())
	if left := marked("TUITURN_SESSION=turn-" + c.SessionID()); len(left) > 0 {
		c.t.Errorf("processes left behind by the conversation: %v", left)
	}
	old := c.h.runner
	c.h.runner = &tuiturn.Runner{
		Agent: old.Agent, Home: old.Home, Token: old.Token, Environ: old.Environ, Terminal: old.Terminal, TempDir: old.TempDir,
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), turnTimeout)
	defer cancel()
	session := c.SessionID()
	var err error
	c.Conversation, err = c.h.runner.Resume(ctx, session, c.request(tuiturn.Request{}))
	must(c.t, err)
	if c.SessionID() != session {
		c.t.Errorf("session %s was resumed as %s", session, c.SessionID())
	}
}

// hear is a turn that is answered, and one request that has all that was said
// before, in order, once.
func (c *talk) hear(prompt string) *tuiturn.Result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), turnTimeout)
	defer cancel()
	before := len(c.asked())
	res, err := c.Turn(ctx, tuiturn.TurnRequest{Prompt: prompt})
	if want := "heard: " + prompt; err != nil || res.Text != want {
		c.t.Fatalf("%.40q was answered with %.40q, %v", prompt, res.Text, err)
	}
	asked := c.asked()[before:]
	if len(asked) != 1 || asked[0].Prompt() != prompt {
		c.t.Fatalf("%.40q made %d requests", prompt, len(asked))
	}
	c.told = append(c.told, prompt)
	if knows := said(asked[0]); !slices.Equal(knows, c.told) {
		c.t.Errorf("with %.40q the agent knows\n%s, it was told\n%s", prompt, brief(knows), brief(c.told))
	}
	c.told = append(c.told, res.Text)
	return res
}

// broken is a turn that ends with an interruption: by its context, or by
// Interrupt. after is how long the agent has had the prompt by then.
func (c *talk) broken(prompt string, after time.Duration, byContext bool) *tuiturn.Result {
	c.t.Helper()
	is := is.New(c.t)
	ctx, cancel := context.WithTimeout(c.t.Context(), turnTimeout)
	defer cancel()
	var at time.Time
	var interrupting sync.WaitGroup
	res, err := c.Turn(ctx, tuiturn.TurnRequest{Prompt: prompt, Trace: &tuiturn.Trace{Submitted: func() {
		interrupting.Go(func() {
			time.Sleep(after)
			at = time.Now()
			if byContext {
				cancel()
			} else if err := c.Interrupt(c.t.Context()); err != nil {
				c.t.Errorf("Interrupt: %v", err)
			}
		})
	}}})
	took := time.Now()
	interrupting.Wait()
	is.Equal(errors.Is(err, context.Canceled), byContext)
	is.Equal(errors.Is(err, tuiturn.ErrInterrupted), !byContext)
	is.True(!errors.Is(err, tuiturn.ErrEnded))
	is.True(took.Sub(at) < time.Minute) // four seconds, and more for an agent that gets no processor
	c.t.Logf("%.20q: interrupted in %v", prompt, took.Sub(at).Round(time.Millisecond))
	return res
}

func (c *talk) asked() []standin.Request {
	return exchange{requests: c.api.Requests()}.asked()
}

// said is what a request tells of the conversation: the last text of each message
// of the user's, and the text of each answer. What 2.1.330 adds in the role of
// the system is not part of it, nor are an interruption's marks.
func said(r standin.Request) (all []string) {
	var body struct {
		Messages []struct {
			Role    string
			Content json.RawMessage
		}
	}
	json.Unmarshal(r.Body, &body)
	for _, m := range body.Messages {
		if m.Role == "system" {
			continue
		}
		var text string
		if json.Unmarshal(m.Content, &text) != nil {
			var blocks []struct{ Type, Text string }
			json.Unmarshal(m.Content, &blocks)
			for _, b := range blocks {
				if b.Type == "text" {
					text = b.Text
				}
			}
		}
		all = append(all, strings.TrimSpace(text))
	}
	return all
}

// brief is all, without what makes texts long.
func brief(all []string) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "%.40q (%d bytes) ", s, len(s))
	}
	return b.String()
}

// TestConversation has each conversation on every version, over one terminal; over
// both with TUITURN_LONG.
func TestConversation(t *testing.T) {
	lines := func(n int) string { return "first\n" + strings.Repeat("\ta line, \"quoted\"\n", n) + "last" }
	// Longer than the screen. With 300 lines 2.1.104, which draws them all with
	// each key, was not always back in time on a busy machine.
	tall := lines(60)
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		n := 0
		run := func(name string, f func(*testing.T)) {
			if n++; itsTurn(n, version, terminal) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					f(t)
				})
			}
		}
		run("turns", func(t *testing.T) {
			h := newHost(t, version, terminal)
			c := newTalk(t, h, tuiturn.Request{}, func(string) *standin.Reply { return nil })
			turns := 4
			if long() {
				turns = 10
			}
			var total []time.Duration
			for i := range turns {
				prompt := "the same again"
				if i%3 == 2 {
					prompt = fmt.Sprintf("number %d\nwith\ta tab, !touch pwned, @work and 'quotes'", i)
				}
				total = append(total, c.hear(prompt).Timings.Total)
			}
			t.Logf("first turn %v, median of the others %v", total[0].Round(time.Millisecond), median(total[1:]))
			c.again()
			c.hear("the same again")
			c.hear(lines(300))
			c.again()
			c.hear(lines(300))
			history(t, c)
		})
		run("interruptions", func(t *testing.T) {
			is := is.New(t)
			h := newHost(t, version, terminal)
			c := newTalk(t, h, tuiturn.Request{}, func(prompt string) *standin.Reply {
				switch {
				case strings.HasPrefix(prompt, "slow"):
					return &standin.Reply{Text: strings.Repeat("and on\n", 5000), Piece: 70, PieceDelay: 50 * time.Millisecond}
				case strings.HasPrefix(prompt, "mute"):
					return &standin.Reply{Text: "never", Delay: time.Minute}
				}
				return nil
			})
			c.hear("one")
			res := c.broken("slow", 1500*time.Millisecond, false)
			is.True(strings.HasPrefix(res.Text, "and on\n"))
			c.told = append(c.told, "slow", strings.TrimSpace(res.Text))
			c.hear("two")
			// What has no answer yet is taken back.
			for _, prompt := range []string{"mute", "mute\n" + tall} {
				is.Equal(c.broken(prompt, 300*time.Millisecond, true).Text, "")
				c.hear("after " + prompt)
				is.Equal(c.broken(prompt, 0, false).Text, "")
				c.hear("after " + prompt)
			}
			c.again()
			c.hear("three")
			c.broken("slow once more", time.Second, true)
			if len(snapshot(t, c.work)) > 0 {
				t.Error("something was done in the working directory")
			}
		})
		run("permission", func(t *testing.T) {
			is := is.New(t)
			h := newHost(t, version, terminal)
			c := newTalk(t, h, tuiturn.Request{}, func(prompt string) *standin.Reply {
				if prompt != "tool" {
					return nil
				}
				return &standin.Reply{Tools: []standin.ToolUse{{Name: "Bash", Input: map[string]string{"command": "touch pwned", "description": "Makes a file"}}}}
			})
			_, err := c.Turn(t.Context(), tuiturn.TurnRequest{Prompt: "tool"})
			var blocked *tuiturn.BlockedError
			is.True(errors.As(err, &blocked))
			is.Equal(blocked.Kind, "permission")
			is.True(!errors.Is(err, tuiturn.ErrEnded))
			res, err := c.Turn(t.Context(), tuiturn.TurnRequest{Prompt: "and now?"})
			is.NoErr(err)
			is.Equal(res.Text, "no tool then")
			is.Equal(len(snapshot(t, c.work)), 0) // it was not done
		})
		run("killed", func(t *testing.T) {
			is := is.New(t)
			h := newHost(t, version, terminal)
			c := newTalk(t, h, tuiturn.Request{}, func(prompt string) *standin.Reply {
				if prompt != "slow" {
					return nil
				}
				return &standin.Reply{Text: strings.Repeat("and on\n", 5000), Piece: 70, PieceDelay: 50 * time.Millisecond}
			})
			c.hear("one")
			_, err := c.Turn(t.Context(), tuiturn.TurnRequest{Prompt: "slow", Trace: &tuiturn.Trace{Submitted: func() {
				for _, pid := range withVariable("TUITURN_SESSION=turn-" + c.SessionID()) {
					syscall.Kill(pid, syscall.SIGKILL)
				}
			}}})
			var exit *tuiturn.ExitError
			is.True(errors.As(err, &exit))
			c.again()
			res, err := c.Turn(t.Context(), tuiturn.TurnRequest{Prompt: "two"})
			is.NoErr(err)
			is.Equal(res.Text, "heard: two")
		})
		run("streamed", func(t *testing.T) {
			is := is.New(t)
			h := newHost(t, version, terminal)
			var streamed strings.Builder
			c := newTalk(t, h, tuiturn.Request{OnDelta: func(d tuiturn.Delta) { streamed.WriteString(d.Text) }}, func(string) *standin.Reply { return nil })
			for i := range 4 {
				streamed.Reset()
				prompt := fmt.Sprintf("a\n\nb\n\nnumber %d", i)
				res, err := c.Turn(t.Context(), tuiturn.TurnRequest{Prompt: prompt})
				if fault, ok := errors.AsType[*tuiturn.Error](err); ok {
					t.Logf("the screen:\n%s", fault.Screen)
				}
				is.NoErr(err)
				is.Equal(res.Text, "heard: "+prompt)
				is.Equal(streamed.String(), res.Text)
			}
		})
	})
}

// history compares what the session records with what was told.
func history(t *testing.T, c *talk) {
	t.Helper()
	var events []transcript.Event
	for ev, err := range c.History(t.Context()) {
		must(t, err)
		events = append(events, ev)
	}
	// 2.1.158 may record the first answer before its prompt.
	slices.SortStableFunc(events, func(a, b transcript.Event) int { return a.Timestamp.Compare(b.Timestamp) })
	var all []string
	for _, ev := range events {
		switch b := ev.Body.(type) {
		case *transcript.User:
			if !ev.Meta {
				all = append(all, b.Text)
			}
		case *transcript.Assistant:
			for _, block := range b.Blocks {
				all = append(all, block.Text)
			}
		}
	}
	if !slices.Equal(all, c.told) {
		t.Errorf("the history is\n%s, it was told\n%s", brief(all), brief(c.told))
	}
}
