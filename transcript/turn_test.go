package transcript_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/transcript/transcripttest"
)

type (
	writer  = transcripttest.Writer
	message = transcripttest.Message
	block   = transcripttest.Block
	toolUse = transcripttest.ToolUse
)

const prompt = "what is it?"

var (
	unauthorized = transcripttest.APIError{Status: 401, Type: "authentication_error", Kind: "authentication_failed", Message: "Please run /login"}
	overloaded   = transcripttest.APIError{Status: 529, Type: "overloaded_error", Kind: "server_error", Message: "Overloaded"}
)

// narrate writes a message that leads to a tool use.
func narrate(w *writer) error {
	return w.Assistant(message{StopReason: "tool_use", InputTokens: 1, OutputTokens: 10, Blocks: []block{
		{Text: "let me look"}, {ToolUse: &toolUse{ID: "t1", Name: "Bash"}}}})
}

// stopHooks writes that the Stop hooks have run.
func stopHooks(w *writer) error {
	l := w.Line("system")
	l["subtype"] = "stop_hook_summary"
	return w.Append(l)
}

// cutOff writes the error of a connection that broke after a tool use, as 2.1.330
// does.
func cutOff(w *writer) error {
	l := w.Line("assistant")
	l["isApiErrorMessage"], l["error"] = true, "server_error"
	l["message"] = map[string]any{"stop_reason": "tool_use", "content": "API Error"}
	return w.Append(l)
}

func stopped(reason, text string) message {
	return message{StopReason: reason, Blocks: []block{{Text: text}}}
}

func TestTurn(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(w *writer) error // after the prompt
		state transcript.State      // before any silence
		kind  transcript.Kind
		text  string
		check func(is *is.I, turn *transcript.Turn, o transcript.Outcome)
	}{
		{name: "nothing yet", write: func(w *writer) error { return nil }, state: transcript.Working},
		{
			name:  "final message, no turn_duration",
			write: func(w *writer) error { return w.Answer("it") },
			state: transcript.Final, kind: transcript.Answer, text: "it",
		},
		{
			name:  "final message and turn_duration",
			write: func(w *writer) error { return errors.Join(w.Answer("it"), w.TurnDuration(1500*time.Millisecond)) },
			state: transcript.Done, kind: transcript.Answer, text: "it",
			check: func(is *is.I, _ *transcript.Turn, o transcript.Outcome) {
				is.Equal(o.Duration, 1500*time.Millisecond)
				is.Equal(o.StopReason, "end_turn")
				is.Equal(o.Model, "claude-test")
				is.Equal(o.Version, "2.1.158")
				is.Equal(o.MessageID, "msg_0002")
			},
		},
		{
			name:  "no stop reason and no turn_duration",
			write: func(w *writer) error { return w.Assistant(stopped("", "it")) },
			state: transcript.Resting, kind: transcript.Answer, text: "it",
		},
		{
			name: "no stop reason but turn_duration",
			write: func(w *writer) error {
				return errors.Join(w.Assistant(stopped("", "it")), w.TurnDuration(1))
			},
			state: transcript.Done, kind: transcript.Answer, text: "it",
		},
		{
			name:  "an unknown stop reason is final",
			write: func(w *writer) error { return w.Assistant(stopped("invented_later", "it")) },
			state: transcript.Final, kind: transcript.Answer, text: "it",
		},
		{
			name:  "pause_turn is final",
			write: func(w *writer) error { return w.Assistant(stopped("pause_turn", "it")) },
			state: transcript.Final, kind: transcript.Answer, text: "it",
		},
		{
			name: "several lines of one message",
			write: func(w *writer) error {
				return w.Assistant(message{StopReason: "end_turn", OutputTokens: 7, Blocks: []block{
					{Thinking: "hm"}, {Text: "ha"}, {Text: "ha"}}})
			},
			state: transcript.Final, kind: transcript.Answer, text: "haha",
			check: func(is *is.I, _ *transcript.Turn, o transcript.Outcome) { is.Equal(o.Usage.OutputTokens, int64(7)) },
		},
		{
			name: "repeated lines, with the same and with new ids",
			write: func(w *writer) error {
				lines := w.AssistantLines(message{StopReason: "end_turn", OutputTokens: 7, Blocks: []block{{Text: "a"}, {Text: "b"}}})
				err := w.Append(lines[0], lines[0], lines[1], lines[0], lines[1])
				for _, l := range lines {
					l["uuid"] = l["uuid"].(string) + "again"
				}
				return errors.Join(err, w.Append(lines[0], lines[1]))
			},
			state: transcript.Final, kind: transcript.Answer, text: "ab",
			check: func(is *is.I, _ *transcript.Turn, o transcript.Outcome) { is.Equal(o.Usage.OutputTokens, int64(7)) },
		},
		{
			name:  "a tool runs",
			write: narrate,
			state: transcript.Working, kind: transcript.Empty,
			check: func(is *is.I, turn *transcript.Turn, _ transcript.Outcome) {
				is.Equal(len(turn.PendingTools()), 1)
				is.Equal(turn.PendingTools()[0].Name, "Bash")
			},
		},
		{
			name:  "a tool has run",
			write: func(w *writer) error { return errors.Join(narrate(w), w.ToolResult("t1", "found")) },
			state: transcript.Working, kind: transcript.Empty,
		},
		{
			name: "narration is not the answer",
			write: func(w *writer) error {
				return errors.Join(narrate(w), w.ToolResult("t1", "found"), w.Assistant(message{
					StopReason: "end_turn", InputTokens: 2, OutputTokens: 20, Blocks: []block{{Text: "it"}}}))
			},
			state: transcript.Final, kind: transcript.Answer, text: "it",
			check: func(is *is.I, _ *transcript.Turn, o transcript.Outcome) {
				is.Equal(o.Usage, transcript.Usage{InputTokens: 3, OutputTokens: 30})
			},
		},
		{
			name:  "narration alone is not the answer either",
			write: func(w *writer) error { return errors.Join(narrate(w), w.TurnDuration(1)) },
			state: transcript.Done, kind: transcript.Empty,
		},
		{
			name: "a tool use without a stop reason",
			write: func(w *writer) error {
				return w.Assistant(message{Blocks: []block{{Text: "let me look"}, {ToolUse: &toolUse{ID: "t1", Name: "Bash"}}}})
			},
			state: transcript.Working, kind: transcript.Empty,
		},
		{
			name: "subagents and other sessions",
			write: func(w *writer) error {
				side := *w
				side.Sidechain = true
				other := *w
				other.SessionID = "another"
				return errors.Join(side.Assistant(message{ID: "s", StopReason: "end_turn", Blocks: []block{{Text: "side"}}}),
					other.Assistant(message{ID: "o", StopReason: "end_turn", Blocks: []block{{Text: "other"}}}),
					side.TurnDuration(1), other.TurnDuration(1), side.APIError(unauthorized), other.APIError(unauthorized))
			},
			state: transcript.Working, kind: transcript.Empty,
		},
		{
			name: "unauthorized",
			write: func(w *writer) error {
				return errors.Join(w.Retry(unauthorized, 1, 10, time.Second), w.Retry(unauthorized, 2, 10, time.Second), w.APIError(unauthorized))
			},
			state: transcript.Final, kind: transcript.Failed,
			check: func(is *is.I, _ *transcript.Turn, o transcript.Outcome) {
				is.Equal(*o.APIError, transcript.APIError{Status: 401, Type: "authentication_error", Kind: "authentication_failed",
					Message: "Please run /login", StopReason: "stop_sequence", Attempts: 2})
				is.True(!o.APIError.Retryable())
			},
		},
		{
			name: "a final error without a status has the retries'",
			write: func(w *writer) error {
				return errors.Join(w.Retry(overloaded, 10, 10, time.Second), w.APIError(transcripttest.APIError{Kind: "unknown"}))
			},
			state: transcript.Final, kind: transcript.Failed,
			check: func(is *is.I, _ *transcript.Turn, o transcript.Outcome) {
				is.Equal(o.APIError.Status, 529)
				is.Equal(o.APIError.Type, "overloaded_error")
				is.True(o.APIError.Retryable())
			},
		},
		{
			name:  "a retry waits",
			write: func(w *writer) error { return w.Retry(unauthorized, 3, 10, 1500*time.Millisecond) },
			state: transcript.Working, kind: transcript.Empty,
			check: func(is *is.I, turn *transcript.Turn, _ transcript.Outcome) {
				is.Equal(*turn.Retrying(), transcript.APIRetry{Status: 401, Type: "authentication_error", Message: "Please run /login",
					Attempt: 3, Max: 10, Delay: 1500 * time.Millisecond})
				is.True(!turn.Retrying().Retryable())
			},
		},
		{
			name:  "a retry that succeeded",
			write: func(w *writer) error { return errors.Join(w.Retry(overloaded, 1, 10, 1), w.Answer("it")) },
			state: transcript.Final, kind: transcript.Answer, text: "it",
			check: func(is *is.I, turn *transcript.Turn, _ transcript.Outcome) { is.Equal(turn.Retrying(), nil) },
		},
		{
			name:  "cut, and perhaps continued",
			write: func(w *writer) error { return w.Assistant(stopped("max_tokens", "half")) },
			state: transcript.Resting, kind: transcript.Truncated, text: "half",
		},
		{
			name: "cut and continued",
			write: func(w *writer) error {
				return errors.Join(w.Assistant(stopped("max_tokens", "one ")), w.Meta("go on"), w.Assistant(stopped("max_tokens", "two ")), w.Answer("three"))
			},
			state: transcript.Final, kind: transcript.Answer, text: "one two three",
		},
		{
			name: "cut behind a tool use",
			write: func(w *writer) error {
				return errors.Join(
					w.Assistant(message{StopReason: "max_tokens", Blocks: []block{{Text: "let me look"}, {ToolUse: &toolUse{ID: "t1", Name: "Bash"}}}}),
					w.ToolResult("t1", "found"), w.Answer("it"))
			},
			state: transcript.Final, kind: transcript.Answer, text: "it",
		},
		{
			name: "cut, and asked to go on",
			write: func(w *writer) error {
				return errors.Join(w.Assistant(stopped("max_tokens", "half")), w.Meta("go on"))
			},
			state: transcript.Working, kind: transcript.Truncated, text: "half",
		},
		{
			name: "cut for good",
			write: func(w *writer) error {
				return errors.Join(w.Assistant(stopped("max_tokens", "half")), w.APIError(transcripttest.APIError{Kind: "max_output_tokens"}))
			},
			state: transcript.Final, kind: transcript.Truncated, text: "half",
		},
		{
			// 2.1.158 does that.
			name: "cut for good, and recorded behind the error",
			write: func(w *writer) error {
				half := w.AssistantLines(stopped("max_tokens", "one "))[0]
				rest := w.AssistantLines(stopped("max_tokens", "two"))[0]
				return errors.Join(w.APIError(transcripttest.APIError{Kind: "max_output_tokens"}), w.Append(half, rest))
			},
			state: transcript.Final, kind: transcript.Truncated, text: "one two",
		},
		{
			name:  "context window full",
			write: func(w *writer) error { return w.Assistant(stopped("model_context_window_exceeded", "half")) },
			state: transcript.Final, kind: transcript.Truncated, text: "half",
		},
		{
			name: "refused",
			write: func(w *writer) error {
				return errors.Join(w.Assistant(stopped("refusal", "I will not")), w.APIError(transcripttest.APIError{Kind: "invalid_request"}))
			},
			state: transcript.Final, kind: transcript.Refused, text: "I will not",
		},
		{
			name: "cut off behind a tool use",
			write: func(w *writer) error {
				return errors.Join(narrate(w), w.APIError(transcripttest.APIError{Kind: "unknown"}))
			},
			state: transcript.Working, kind: transcript.Failed,
		},
		{
			name: "cut off behind a tool use, and answered",
			write: func(w *writer) error {
				return errors.Join(narrate(w), w.APIError(transcripttest.APIError{Kind: "unknown"}), w.ToolResult("t1", "found"), w.Answer("it"))
			},
			state: transcript.Final, kind: transcript.Answer, text: "it",
			check: func(is *is.I, _ *transcript.Turn, o transcript.Outcome) { is.Equal(o.APIError, nil) },
		},
		{
			name: "cut off behind a tool that had run, and answered",
			write: func(w *writer) error {
				return errors.Join(narrate(w), w.ToolResult("t1", "found"), cutOff(w), w.Answer("it"))
			},
			state: transcript.Final, kind: transcript.Answer, text: "it",
		},
		{
			name: "cut off behind a tool use, and then failed",
			write: func(w *writer) error {
				return errors.Join(narrate(w), cutOff(w), w.ToolResult("t1", "found"), w.APIError(overloaded))
			},
			state: transcript.Final, kind: transcript.Failed,
			check: func(is *is.I, _ *transcript.Turn, o transcript.Outcome) { is.Equal(o.APIError.Status, 529) },
		},
		{
			name: "refused once, then answered",
			write: func(w *writer) error {
				return errors.Join(w.Assistant(stopped("refusal", "I will")), w.Meta("noted"), w.Answer("it"))
			},
			state: transcript.Final, kind: transcript.Answer, text: "it",
		},
		{
			name:  "empty",
			write: func(w *writer) error { return w.TurnDuration(1) },
			state: transcript.Done, kind: transcript.Empty,
		},
		{
			name:  "white space",
			write: func(w *writer) error { return errors.Join(w.Answer(" \n"), w.TurnDuration(1)) },
			state: transcript.Done, kind: transcript.Empty, text: " \n",
		},
		{
			name:  "a Stop hook objects",
			write: func(w *writer) error { return errors.Join(w.Answer("first"), w.Meta("Stop hook feedback: more")) },
			state: transcript.Working, kind: transcript.Answer, text: "first",
		},
		{
			name: "a Stop hook objected",
			write: func(w *writer) error {
				return errors.Join(w.Answer("first"), w.Meta("Stop hook feedback: more"), w.Answer("second"))
			},
			state: transcript.Final, kind: transcript.Answer, text: "second",
		},
		{
			name:  "the Stop hooks have run",
			write: func(w *writer) error { return errors.Join(w.Answer("it"), stopHooks(w)) },
			state: transcript.Final, kind: transcript.Answer, text: "it",
		},
		{
			name: "the Stop hooks have run and there is no stop reason",
			write: func(w *writer) error {
				return errors.Join(w.Assistant(stopped("", "it")), stopHooks(w))
			},
			state: transcript.Final, kind: transcript.Answer, text: "it",
		},
		{
			name: "the Stop hooks have run, and one objected",
			write: func(w *writer) error {
				return errors.Join(w.Answer("first"), w.Meta("Stop hook feedback: more"), stopHooks(w))
			},
			state: transcript.Working, kind: transcript.Answer, text: "first",
		},
		{
			name: "one objected and then none",
			write: func(w *writer) error {
				return errors.Join(w.Answer("first"), w.Meta("Stop hook feedback: more"), stopHooks(w), w.Answer("second"), stopHooks(w))
			},
			state: transcript.Final, kind: transcript.Answer, text: "second",
		},
		{
			name:  "the hooks of a subagent have run",
			write: func(w *writer) error { return errors.Join(narrate(w), stopHooks(w)) },
			state: transcript.Working, kind: transcript.Empty,
		},
		{
			name: "compaction in mid-turn",
			write: func(w *writer) error {
				boundary := w.Line("system")
				boundary["subtype"] = "compact_boundary"
				return errors.Join(narrate(w), w.ToolResult("t1", "found"), w.Append(boundary), w.CompactSummary("so far …"), w.Answer("it"))
			},
			state: transcript.Final, kind: transcript.Answer, text: "it",
			check: func(is *is.I, _ *transcript.Turn, o transcript.Outcome) { is.True(o.Compacted) },
		},
		{
			name: "interrupted, with the marker",
			write: func(w *writer) error {
				return errors.Join(w.Assistant(message{ID: "m", Blocks: []block{{Text: "half"}}}), w.Interrupted("m"))
			},
			state: transcript.Done, kind: transcript.Interrupted, text: "half",
		},
		{
			name:  "interrupted, by wording",
			write: func(w *writer) error { return w.Interrupted("") },
			state: transcript.Done, kind: transcript.Interrupted,
		},
		{
			name:  "an answer quotes the wording",
			write: func(w *writer) error { return w.Answer("[Request interrupted by user]") },
			state: transcript.Final, kind: transcript.Answer, text: "[Request interrupted by user]",
		},
		{
			name: "a tool's result quotes the wording",
			write: func(w *writer) error {
				return errors.Join(narrate(w), w.ToolResult("t1", "[Request interrupted by user for tool use]"), w.Answer("it"))
			},
			state: transcript.Final, kind: transcript.Answer, text: "it",
		},
		{
			name: "the next prompt quotes the wording",
			write: func(w *writer) error {
				return errors.Join(w.Answer("it"), w.Prompt("[Request interrupted by user]"), w.Answer("not this"))
			},
			state: transcript.Done, kind: transcript.Answer, text: "it",
		},
		{
			name: "errors are not told by their wording",
			write: func(w *writer) error {
				return w.Answer("Please run /login · API Error: 401")
			},
			state: transcript.Final, kind: transcript.Answer, text: "Please run /login · API Error: 401",
		},
		{
			name: "what follows the end changes nothing",
			write: func(w *writer) error {
				return errors.Join(w.Answer("it"), w.TurnDuration(1), w.Answer("more"), w.APIError(unauthorized), w.Interrupted("x"))
			},
			state: transcript.Done, kind: transcript.Answer, text: "it",
		},
		{
			name: "the file's order differs from the time stamps'",
			write: func(w *writer) error {
				first := w.AssistantLines(stopped("end_turn", "first"))[0]
				hook := w.Line("user")
				hook["isMeta"], hook["message"] = true, map[string]any{"content": "Stop hook feedback"}
				second := w.AssistantLines(stopped("end_turn", "second"))[0]
				return w.Append(hook, second, first)
			},
			state: transcript.Final, kind: transcript.Answer, text: "second",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			w := newWriter(t)
			is.NoErr(errors.Join(w.Prompt("an earlier one"), w.Answer("an earlier answer"), w.Prompt(prompt), c.write(w)))
			turn := transcript.Turn{SessionID: session, Prompt: "\n " + prompt + "\n"}
			addAll(t, &turn, w)
			is.Equal(turn.State().String(), c.state.String())
			o := turn.Outcome()
			is.Equal(o.Kind.String(), c.kind.String())
			is.Equal(o.Text, c.text)
			if c.check != nil {
				c.check(is, &turn, o)
			}

			turn.Add(transcript.Event{Body: &transcript.Idle{Quiet: transcript.DefaultSettle, Torn: true}})
			is.Equal(turn.State().String(), c.state.String()) // half a line is not silence
			turn.Add(transcript.Event{Body: &transcript.Idle{Quiet: transcript.DefaultSettle - 1}})
			is.Equal(turn.State().String(), c.state.String()) // too short
			turn.Add(transcript.Event{Body: &transcript.Idle{Quiet: transcript.DefaultSettle}})
			is.Equal(turn.Done(), c.state >= transcript.Final)
			is.Equal(turn.Outcome(), o)
		})
	}
}

// In a new session 2.1.158 often writes the answer, and even the end, before the
// prompt.
func TestTurnBeforeItsPrompt(t *testing.T) {
	is := is.New(t)
	w := newWriter(t)
	is.NoErr(errors.Join(w.Prompt("an earlier one"), w.Answer("an earlier answer"), w.TurnDuration(1)))
	before, err := os.ReadFile(w.Path)
	is.NoErr(err)
	is.NoErr(errors.Join(w.Prompt(prompt), narrate(w), w.ToolResult("t1", "x"), w.Answer("it"), w.TurnDuration(time.Second)))
	all, err := os.ReadFile(w.Path)
	is.NoErr(err)
	events := decodeAll(all)
	n := len(decodeAll(before))
	late := slices.Concat(events[:n], events[n+1:], events[n:n+1])
	turn := transcript.Turn{SessionID: session, Prompt: prompt}
	for _, ev := range late {
		is.Equal(turn.State(), transcript.Waiting)
		turn.Add(ev)
	}
	is.True(turn.Done())
	o := turn.Outcome()
	is.Equal(o.Text, "it")
	is.Equal(o.Duration, time.Second)
	is.Equal(o.Usage.OutputTokens, int64(10))
}

// Only the end of the turn stands before the prompt.
func TestTurnAroundItsPrompt(t *testing.T) {
	is := is.New(t)
	w := newWriter(t)
	is.NoErr(errors.Join(w.Prompt(prompt), narrate(w), w.ToolResult("t1", "x"), w.Answer("it"), w.TurnDuration(time.Second)))
	all, err := os.ReadFile(w.Path)
	is.NoErr(err)
	events := decodeAll(all)
	n := len(events)
	turn := transcript.Turn{SessionID: session, Prompt: prompt}
	for _, ev := range slices.Concat(events[n-2:], events[:n-2]) {
		is.True(!turn.Done())
		turn.Add(ev)
	}
	is.True(turn.Done())
	o := turn.Outcome()
	is.Equal(o.Text, "it")
	is.Equal(o.Usage.OutputTokens, int64(10)) // of both messages
}

func TestTurnThatNeverComes(t *testing.T) {
	is := is.New(t)
	w := newWriter(t)
	is.NoErr(errors.Join(w.Prompt("what is\tit?"), w.Answer("something"), w.TurnDuration(1)))
	turn := transcript.Turn{SessionID: session, Prompt: prompt}
	addAll(t, &turn, w)
	is.Equal(turn.State(), transcript.Waiting)
	is.Equal(turn.Unmatched(), "what is\tit?")

	match := transcript.Turn{Match: func(text string) bool { return text == "what is\tit?" }}
	addAll(t, &match, w)
	text, ok := match.Received()
	is.True(ok)
	is.Equal(text, "what is\tit?")
	is.Equal(match.Outcome().Text, "something")
}

// newWriter's clock ticks a millisecond a line, so that time stamps decide.
func newWriter(t *testing.T) *writer {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &writer{
		Path: filepath.Join(t.TempDir(), session+".jsonl"),
		Now:  func() time.Time { at = at.Add(time.Millisecond); return at },
	}
}

func addAll(t *testing.T, turn *transcript.Turn, w *writer) {
	t.Helper()
	b, err := os.ReadFile(w.Path)
	is.New(t).NoErr(err)
	for _, ev := range decodeAll(b) {
		turn.Add(ev)
	}
}

// After a turn has ended with its Stop hooks, lines of it may still come, also behind
// the next prompt. They do not end the next turn.
func TestEndOfTheTurnBefore(t *testing.T) {
	answer := &transcript.Assistant{MessageID: "m", StopReason: "end_turn", Blocks: []transcript.Block{{Type: "text", Text: "it"}}}
	summary := &transcript.HookOutput{Stopping: true}
	type line struct {
		uuid, parent string
		body         transcript.Body
	}
	prompt := line{"p", "d0", &transcript.User{Text: "again", PromptID: "p"}}
	quiet := line{"", "", &transcript.Idle{Quiet: time.Hour}}
	for _, c := range []struct {
		name  string
		lines []line
	}{
		{"before the prompt", []line{{"s0", "a0", summary}, {"d0", "s0", &transcript.TurnDuration{}}, prompt, {"a", "p", answer}}},
		{"behind it", []line{prompt, {"s0", "a0", summary}, {"d0", "s0", &transcript.TurnDuration{}}, quiet, {"a", "p", answer}}},
		{"behind it, in disorder", []line{prompt, {"d0", "s0", &transcript.TurnDuration{}}, {"s0", "a0", summary}, {"a", "p", answer}, quiet}},
		{"around it", []line{{"d0", "s0", &transcript.TurnDuration{}}, prompt, {"s0", "a0", summary}, {"a", "p", answer}}},
		{"unlinked", []line{prompt, {"s0", "a0", summary}, quiet, {"x0", "y0", &transcript.TurnDuration{}}, quiet, {"a", "p", answer}}},
		{"a branch", []line{prompt, {"s0", "a0", summary}, {"d0", "s0", &transcript.TurnDuration{}}, {"x0", "s0", &transcript.TurnDuration{}}, quiet, {"a", "p", answer}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			turn := &transcript.Turn{Prompt: "again", Settle: -1}
			add := func(l line) {
				turn.Add(transcript.Event{UUID: l.uuid, ParentUUID: l.parent, Body: l.body})
			}
			for _, l := range c.lines {
				add(l)
				is.True(!turn.Done())
			}
			is.Equal(turn.PromptID(), "p")
			is.Equal(turn.State(), transcript.Final)
			is.True(!turn.Told())
			add(line{"d", "s", &transcript.TurnDuration{}})
			is.True(!turn.Done()) // a line is missing
			add(line{"s", "a", summary})
			is.Equal(turn.State(), transcript.Done)
			is.Equal(turn.Outcome().Text, "it")
		})
	}
}

// The blocks of a message count in the order in which they follow each other.
func TestBlocksOutOfOrder(t *testing.T) {
	is := is.New(t)
	var turn transcript.Turn
	turn.Add(transcript.Event{UUID: "0", Body: &transcript.User{Text: "it"}})
	for _, b := range []struct{ uuid, parent, text string }{{"3", "2", "three"}, {"1", "0", "one "}, {"2", "1", "two "}} {
		turn.Add(transcript.Event{UUID: b.uuid, ParentUUID: b.parent, Body: &transcript.Assistant{
			MessageID: "m", StopReason: "end_turn", Blocks: []transcript.Block{{Type: "text", Text: b.text}},
		}})
	}
	is.Equal(turn.Outcome().Text, "one two three")
}

// A Turn takes from End how a message ended, whatever words the agent has. If a
// program made the event by hand and left End out, claude's stop reason counts.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		stop  string
		end   transcript.End
		state transcript.State
		kind  transcript.Kind
	}{
		{"", transcript.EndUnknown, transcript.Resting, transcript.Answer},
		{"end_turn", transcript.EndFinal, transcript.Final, transcript.Answer},
		{"tool_use", transcript.EndTools, transcript.Working, transcript.Empty},
		{"max_tokens", transcript.EndCut, transcript.Resting, transcript.Truncated},
		{"model_context_window_exceeded", transcript.EndFull, transcript.Final, transcript.Truncated},
		{"refusal", transcript.EndRefused, transcript.Resting, transcript.Refused},
	} {
		for _, b := range []transcript.Assistant{{StopReason: c.stop}, {StopReason: "a word", End: c.end}, {End: c.end}} {
			if b.StopReason != c.stop && c.end == transcript.EndUnknown {
				continue
			}
			t.Run(fmt.Sprintf("%q %d", b.StopReason, b.End), func(t *testing.T) {
				is := is.New(t)
				b.MessageID, b.Blocks = "m", []transcript.Block{{Type: "text", Text: "half"}}
				var turn transcript.Turn
				turn.Add(transcript.Event{Body: &transcript.User{Text: "it"}})
				turn.Add(transcript.Event{Body: &b})
				is.Equal(turn.State(), c.state)
				is.Equal(turn.Outcome().Kind, c.kind)
				is.Equal(turn.Outcome().StopReason, b.StopReason)
			})
		}
	}
	for _, c := range []struct {
		err   transcript.APIError
		state transcript.State
		kind  transcript.Kind
	}{
		{transcript.APIError{Kind: "a word"}, transcript.Final, transcript.Failed},
		{transcript.APIError{Kind: "a word", End: transcript.EndTools}, transcript.Working, transcript.Failed},
		{transcript.APIError{Kind: "a word", End: transcript.EndCut}, transcript.Final, transcript.Truncated},
		{transcript.APIError{Kind: "a word", End: transcript.EndRefused}, transcript.Final, transcript.Refused},
		{transcript.APIError{Kind: "max_output_tokens"}, transcript.Final, transcript.Truncated},
	} {
		t.Run(fmt.Sprintf("%+v", c.err), func(t *testing.T) {
			is := is.New(t)
			var turn transcript.Turn
			turn.Add(transcript.Event{Body: &transcript.User{Text: "it"}})
			turn.Add(transcript.Event{Body: &c.err})
			is.Equal(turn.State(), c.state)
			is.Equal(turn.Outcome().Kind, c.kind)
		})
	}
}

// An interruption ends the turn only if the line has the turn's prompt id or the id
// of the interrupted message.
func TestInterruption(t *testing.T) {
	for _, c := range []struct {
		user transcript.User
		kind transcript.Kind
	}{
		{transcript.User{Interruption: true, PromptID: "p"}, transcript.Interrupted},
		{transcript.User{Interruption: true, PromptID: "another"}, transcript.Empty},
		{transcript.User{InterruptedMessageID: "m"}, transcript.Interrupted},
		{transcript.User{PromptID: "p"}, transcript.Empty},
	} {
		t.Run(fmt.Sprintf("%+v", c.user), func(t *testing.T) {
			is := is.New(t)
			var turn transcript.Turn
			turn.Add(transcript.Event{Body: &transcript.User{Text: "it", PromptID: "p"}})
			turn.Add(transcript.Event{Body: &c.user})
			is.Equal(turn.Outcome().Kind, c.kind)
			is.Equal(turn.Done(), c.kind == transcript.Interrupted)
		})
	}
}
