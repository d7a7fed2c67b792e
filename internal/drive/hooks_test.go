package drive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/internal/redact"
	"github.com/tuiturn/tuiturn/internal/terminal"
	"github.com/tuiturn/tuiturn/transcript"
)

// secretive is an agent that names its sessions itself. Its log has claude's lines.
type secretive struct{ agent.Agent }

func (secretive) Traits() agent.Traits {
	format := transcript.Claude()
	format.Path, format.Report = nil, secretiveReport
	return agent.Traits{Log: format}
}

func (secretive) Took(p *agent.Prompt, recorded string) bool { return p.Text == recorded }

func secretiveReport(line []byte) transcript.Event {
	ev := transcript.Claude().Report(line)
	if u, ok := ev.Body.(*transcript.Unknown); ok && u.Type == "TurnFailed" {
		ev.Body = &transcript.APIError{Status: 529}
	}
	return ev
}

// still is the terminal of an agent that does nothing.
type still struct{ terminal.Terminal }

func (still) Pid() int              { return os.Getpid() }
func (still) Done() <-chan struct{} { return nil }

// newSecretive returns a turn of an agent that has not told its name, and the path of
// its log.
func newSecretive(t *testing.T) (*Turn, string) {
	p := New(Config{
		Host:  &Host{Log: slog.New(slog.DiscardHandler), Drift: new(transcript.Drift)},
		Agent: secretive{},
		Place: &Place{Lease: new(lease.Lease)},
		Start: agent.Start{Session: "ours"},
	}, redact.New())
	p.dir, p.term = t.TempDir(), still{}
	return &Turn{Pane: p, Prompt: agent.Prompt{Text: "hello"}}, filepath.Join(t.TempDir(), "2026", "log.jsonl")
}

// appendTo appends lines of JSON to a file, in one write.
func appendTo(t *testing.T, path string, lines ...map[string]any) {
	t.Helper()
	is := is.New(t)
	is.NoErr(os.MkdirAll(filepath.Dir(path), 0o700))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	is.NoErr(err)
	defer f.Close()
	var all bytes.Buffer
	for _, line := range lines {
		is.NoErr(json.NewEncoder(&all).Encode(line))
	}
	_, err = f.Write(all.Bytes())
	is.NoErr(err)
}

func startedAs(session, path string) map[string]any {
	return map[string]any{"hook_event_name": "SessionStart", "session_id": session, "transcript_path": path}
}

func failedAt(prompt string) map[string]any {
	return map[string]any{"hook_event_name": "TurnFailed", "prompt_id": prompt}
}

func promptLine(text, id string) map[string]any {
	return map[string]any{"type": "user", "uuid": "u-" + id, "promptId": id, "sessionId": "theirs", "message": map[string]any{"role": "user", "content": text}}
}

func answerLine(text string) map[string]any {
	return map[string]any{"type": "assistant", "uuid": "a-" + text, "sessionId": "theirs", "message": map[string]any{
		"id": "m-" + text, "role": "assistant", "stop_reason": "end_turn", "content": []any{map[string]any{"type": "text", "text": text}}}}
}

// hears listens until ok.
func hears(t *testing.T, turn *Turn, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for !ok() {
		if _, err := turn.hear(ctx, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// The log is read from its first line, once the agent has told where it is, and by the
// next turn from where this one has ended. Nothing is read twice.
func TestLogIsFollowedOnceItsPathIsKnown(t *testing.T) {
	for name, early := range map[string]bool{"told before the turn": true, "told in the turn": false} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			turn, path := newSecretive(t)
			var named []string
			turn.Named = func(session string) { named = append(named, session+"/"+turn.SessionID()) }
			is.Equal(turn.SessionID()+turn.Transcript(), "")
			is.Equal(turn.LogID(), slog.String("session", "ours"))
			tell := func() {
				appendTo(t, turn.hooksFile(), map[string]any{"hook_event_name": "SessionStart", "session_id": "a-subagent's", "transcript_path": "/nowhere", "agent_id": "1"})
				appendTo(t, turn.hooksFile(), map[string]any{"hook_event_name": "SessionStart", "session_id": "theirs"}) // not where
				appendTo(t, turn.hooksFile(), startedAs("theirs", path), startedAs("another", "/nowhere"))
			}
			if early {
				tell()
			}
			stop := turn.follow(t.Context())
			is.Equal(turn.SessionID() != "", early)
			turn.entered.press(turn.Pane)
			appendTo(t, path, promptLine("hello", "p1"), answerLine("one"))
			if !early {
				tell()
			}
			hears(t, turn, func() bool { return turn.log.State() == transcript.Final })
			stop()
			is.Equal(turn.Outcome().Text, "one")
			is.Equal(turn.SessionID(), "theirs")
			is.Equal(turn.Transcript(), path)
			is.Equal(turn.LogID(), slog.String("session", "theirs"))
			is.Equal(named, []string{"theirs/"}) // once, and before others know
			is.Equal(turn.offset, FileSize(path))

			next := &Turn{Pane: turn.Pane, Prompt: agent.Prompt{Text: "hello"}, offset: turn.offset}
			stop = next.follow(t.Context())
			defer stop()
			next.entered.press(next.Pane)
			appendTo(t, path, promptLine("hello", "p2"), answerLine("two"))
			hears(t, next, func() bool { return next.log.State() == transcript.Final })
			is.Equal(next.Outcome().Text, "two")
			is.Equal(next.log.PromptID(), "p2")
		})
	}
}

// Without the hooks' file nobody tells where the log is. The turn does not wait for that.
func TestHooksFileIsCleanedAway(t *testing.T) {
	is := is.New(t)
	turn, _ := newSecretive(t)
	appendTo(t, turn.hooksFile())
	stop := turn.follow(t.Context())
	defer stop()
	appendTo(t, turn.hooksFile(), map[string]any{"hook_event_name": "Stop"})
	_, err := turn.hear(t.Context(), nil, nil)
	is.NoErr(err) // the file is being read
	is.NoErr(os.Remove(turn.hooksFile()))
	_, err = turn.hear(t.Context(), nil, nil)
	is.True(errors.Is(err, errCleaned))
}

// A log that is known from the start needs no report.
func TestNameIsKnownFromTheStart(t *testing.T) {
	is := is.New(t)
	cfg := Config{Host: new(Host), Agent: secretive{}, Start: agent.Start{Session: "theirs", Resume: true}, Resumed: "/log"}
	p := New(cfg, nil)
	is.Equal(p.SessionID()+p.Transcript(), "theirs/log")
	p.started(&transcript.Started{SessionID: "another", Path: "/nowhere"})
	is.Equal(p.SessionID()+p.Transcript(), "theirs/log")
}

// An error that only a hook reports ends the turn whose error it is, whether it is heard
// before or after the prompt's line.
func TestErrorThatAHookReports(t *testing.T) {
	for name, c := range map[string]struct {
		idle, working []string // the prompts' ids of errors before Enter, and after it
		fails         bool
	}{
		"none":                                 {},
		"of this turn":                         {nil, []string{"p1"}, true},
		"of this turn, without an id":          {nil, []string{""}, true},
		"of the turn before":                   {nil, []string{"p0"}, false},
		"of the turn before, without an id":    {[]string{""}, nil, false},
		"of both turns":                        {[]string{"p0"}, []string{"p0", "p1"}, true},
		"of both turns, in the opposite order": {nil, []string{"p1", "p0"}, true},
	} {
		for _, first := range []string{"the error", "the prompt"} {
			t.Run(name+", first "+first, func(t *testing.T) {
				is := is.New(t)
				turn, path := newSecretive(t)
				appendTo(t, turn.hooksFile(), startedAs("theirs", path))
				stop := turn.follow(t.Context())
				defer stop()
				report := func(ids []string) {
					for _, id := range ids {
						b, err := json.Marshal(failedAt(id))
						is.NoErr(err)
						turn.hooked(turn.reports().Decode(b))
					}
				}
				report(c.idle)
				turn.entered.press(turn.Pane)
				if first == "the error" {
					report(c.working)
				}
				appendTo(t, path, promptLine("hello", "p1"))
				hears(t, turn, func() bool { _, ok := turn.log.Received(); return ok })
				if first == "the prompt" {
					report(c.working)
				}
				is.Equal(turn.fails(time.Now(), time.Minute), false) // a line may still come
				is.Equal(turn.fails(time.Now(), 0), c.fails)
				_, err := turn.settle()
				is.Equal(fmt.Sprint(err) == "the service failed with HTTP 529", c.fails)
			})
		}
	}
}

// After a cleaner has removed the hooks' file, a hook makes another, and its reports are
// heard.
func TestHooksFileIsMadeAgain(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	turn, path := newSecretive(t)
	l, err := lease.New(t.Context(), t.TempDir())
	is.NoErr(err)
	defer l.Release()
	turn.Place = &Place{Lease: l}
	turn.know("theirs", path)
	stop := turn.follow(t.Context())
	defer stop()
	for range 3 {
		os.Remove(turn.hooksFile()) // which the first time is not there yet
		appendTo(t, turn.hooksFile(), failedAt("another's"))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		_, err := turn.hear(ctx, nil, nil)
		cancel()
		is.NoErr(err)
	}
}
