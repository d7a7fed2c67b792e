package transcript_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
)

// With one Stop hook a turn ends when the hook reports what the final message ends with.
func TestSoleStop(t *testing.T) {
	two := message{StopReason: "end_turn", Blocks: []block{{Text: "first"}, {Text: "it"}}}
	for name, c := range map[string]struct {
		write func(w *writer) error // behind the prompt
		said  string
		ends  bool
	}{
		"the answer":                   {func(w *writer) error { return w.Answer(" it\n") }, "it", true},
		"the last of two blocks":       {func(w *writer) error { return w.Assistant(two) }, "it", true},
		"a block that is not the last": {func(w *writer) error { return w.Assistant(two) }, "first", false},
		"a part of a block":            {func(w *writer) error { return w.Answer("is it") }, "it", false},
		"nothing was said":             {func(w *writer) error { return w.Answer("it") }, "", false},
		"another block is to come":     {func(w *writer) error { return w.Assistant(stopped("", "it")) }, "it", false},
		"a tool is used":               {narrate, "let me look", false},
		"cut, and perhaps continued":   {func(w *writer) error { return w.Assistant(stopped("max_tokens", "it")) }, "it", false},
		"the service has failed":       {func(w *writer) error { return errors.Join(w.Answer("it"), w.APIError(unauthorized)) }, "it", false},
		"the same block twice": {func(w *writer) error {
			return w.Assistant(message{StopReason: "end_turn", Blocks: []block{{Text: "it"}, {Text: "it "}}})
		}, "it", true},
		"no answer yet": {func(*writer) error { return nil }, "it", false},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			w := newWriter(t)
			is.NoErr(errors.Join(w.Prompt(prompt), c.write(w)))
			stop := transcript.Event{Body: &transcript.Stopping{Text: c.said}}

			turn := transcript.Turn{Prompt: prompt, Settle: -1, SoleStop: true}
			addAll(t, &turn, w)
			before := turn.Outcome()
			is.True(!turn.Done())
			aside := stop
			aside.Sidechain = true // a subagent stops
			turn.Add(aside)
			is.True(!turn.Done())
			turn.Add(stop)
			is.Equal(turn.Done(), c.ends)
			is.Equal(turn.Outcome().Text, before.Text)
			is.Equal(turn.Outcome().Usage, before.Usage)

			other := transcript.Turn{Prompt: prompt, Settle: -1}
			addAll(t, &other, w)
			other.Add(stop)
			is.True(!other.Done()) // another hook may object
		})
	}
}

// A block that follows a line that has not come is not the whole answer, and a report of
// the turn before is none of this one.
func TestSoleStopWaits(t *testing.T) {
	is := is.New(t)
	turn := transcript.Turn{Prompt: prompt, Settle: -1, SoleStop: true}
	block := func(uuid, parent, text string) {
		turn.Add(transcript.Event{UUID: uuid, ParentUUID: parent, Body: &transcript.Assistant{
			MessageID: "m", StopReason: "end_turn", Blocks: []transcript.Block{{Type: "text", Text: text}},
		}})
	}
	stop := transcript.Event{Body: &transcript.Stopping{Text: "two"}}
	turn.Add(stop) // of the turn before
	turn.Add(transcript.Event{UUID: "0", Body: &transcript.User{Text: prompt}})
	block("2", "1", "two")
	is.True(!turn.Done())
	turn.Add(stop)
	is.True(!turn.Done())
	block("1", "0", "one")
	is.True(!turn.Done())
	turn.Add(stop)
	is.True(turn.Done())
	is.Equal(turn.Outcome().Text, "onetwo")
}

// An agent that goes on has more to say, whatever it said when it stopped.
func TestSoleStopIsNoEndIfTheAgentGoesOn(t *testing.T) {
	is := is.New(t)
	turn := transcript.Turn{Prompt: prompt, Settle: -1, SoleStop: true}
	answer := func(id, text, reason string) {
		turn.Add(transcript.Event{Body: &transcript.Assistant{MessageID: id, StopReason: reason, Blocks: []transcript.Block{{Type: "text", Text: text}}}})
	}
	turn.Add(transcript.Event{Body: &transcript.User{Text: prompt}})
	answer("m1", "it", "")
	turn.Add(transcript.Event{Body: &transcript.Stopping{Text: "it"}})
	turn.Add(transcript.Event{Meta: true, Body: &transcript.User{Text: "go on"}})
	answer("m2", "it", "end_turn")
	is.True(!turn.Done())
	turn.Add(transcript.Event{Body: &transcript.Stopping{Text: "it"}})
	is.True(turn.Done())
}
