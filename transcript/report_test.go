package transcript_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
)

func TestReport(t *testing.T) {
	for _, c := range []struct {
		line string
		want transcript.Event
	}{
		{`{"session_id":"s","transcript_path":"/h/s.jsonl","hook_event_name":"SessionStart","source":"startup"}`,
			transcript.Event{SessionID: "s", Body: &transcript.Started{SessionID: "s", Path: "/h/s.jsonl"}}},
		{`{"session_id":"s","hook_event_name":"MessageDisplay","turn_id":"t","message_id":"m","index":2,"delta":"two\n"}`,
			transcript.Event{SessionID: "s", TurnID: "t", Body: &transcript.Shown{MessageID: "m", Index: 2, Text: "two\n"}}},
		{`{"session_id":"s","prompt_id":"p","hook_event_name":"Stop","last_assistant_message":"it"}`,
			transcript.Event{SessionID: "s", PromptID: "p", Body: &transcript.Stopping{Text: "it"}}},
		{`{"hook_event_name":"Asked","pid":12}`, transcript.Event{Body: &transcript.Asked{Pid: 12}}},
		{`{"prompt_id":"p","turn_id":"t","hook_event_name":"PreToolUse"}`, transcript.Event{PromptID: "p", TurnID: "t", Body: &transcript.Unknown{Type: "PreToolUse"}}},
		{`{"agent_id":"a","hook_event_name":"Stop"}`, transcript.Event{Sidechain: true, Body: &transcript.Stopping{}}},
		{`{}`, transcript.Event{Body: &transcript.Unknown{}}},
	} {
		t.Run(c.line, func(t *testing.T) {
			c.want.Raw, c.want.End = []byte(c.line), int64(len(c.line))+1
			is.New(t).Equal(transcript.Claude().Report([]byte(c.line)), c.want)
		})
	}
	// What one hook wrote into another's line is no report.
	for _, line := range []string{``, `x`, `{"hook_event_name":"Stop"`, `{"hook_event_name":"Stop"}{"pid":1}`,
		`{"hook_event_name":"MessageDisplay","index":{"pid":1}}`, `{"hook_event_name":"Stop","n":1{"pid":1}}`} {
		t.Run(line, func(t *testing.T) {
			_, ok := transcript.Claude().Report([]byte(line)).Body.(*transcript.Malformed)
			is.New(t).True(ok)
		})
	}
}

// A report is no line of the transcript: it ends no silence, and a Turn takes
// nothing from it.
func TestReportInATurn(t *testing.T) {
	is := is.New(t)
	w := newWriter(t)
	is.NoErr(errors.Join(w.Prompt(prompt), w.Answer("it")))
	turn := transcript.Turn{Prompt: prompt}
	addAll(t, &turn, w)
	before := turn.Outcome()
	turn.Add(transcript.Event{Body: &transcript.Idle{Quiet: transcript.DefaultSettle}})
	is.True(turn.Done())
	for _, b := range []transcript.Body{&transcript.Shown{Text: "it"}, &transcript.Stopping{Text: "it"}, &transcript.Asked{Pid: 1}} {
		turn.Add(transcript.Event{Body: b})
		is.True(turn.Done())
	}
	is.Equal(turn.Outcome(), before)
}

// A Follower reads reports when its Format decodes them, and Deltas say what they
// show before the transcript has it: here for an agent with claude's hooks and
// with lines of its own.
func TestFormatReport(t *testing.T) {
	is := is.New(t)
	hooks := writer{Path: filepath.Join(t.TempDir(), "hooks.jsonl")}
	shown := func(turn string, index int, text string) map[string]any {
		return map[string]any{"hook_event_name": "MessageDisplay", "turn_id": turn, "message_id": "m", "index": index, "delta": text}
	}
	is.NoErr(hooks.Append(map[string]any{"hook_event_name": "SessionStart", "session_id": session, "transcript_path": "/r"},
		shown("t", 1, "is"), shown("t", 0, "it "), map[string]any{"hook_event_name": "Stop", "last_assistant_message": "it is"}))
	follower := transcript.Follower{Path: hooks.Path, Format: &transcript.Format{Decode: rollouts.Report}}
	reports, err := collect(deadline(t), &follower, 4)
	is.NoErr(err)
	is.Equal(reports[0].Body, &transcript.Started{SessionID: session, Path: "/r"})
	is.Equal(reports[3].Body, &transcript.Stopping{Text: "it is"})

	turn := transcript.Turn{Prompt: prompt}
	x, deltas := consumer{}, transcript.NewDeltas(&turn)
	turn.Add(rollouts.Decode([]byte(asked)))
	for _, ev := range reports {
		if b, ok := ev.Body.(*transcript.Shown); ok {
			is.Equal(ev.TurnID, "t")
			deltas.Show(*b)
			x.take(t, deltas.Next())
		}
	}
	is.Equal(x.text, "it is") // and nothing of it is recorded yet
	turn.Add(rollouts.Decode([]byte(event("agent_message", `,"message":"it is so"`))))
	turn.Add(rollouts.Decode([]byte(complete)))
	rest, err := deltas.End()
	is.NoErr(err)
	x.take(t, rest)
	is.Equal(x.text, "it is so")
	is.Equal(turn.Outcome().Duration, 66*time.Millisecond)
}
