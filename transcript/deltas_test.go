package transcript_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
)

// said is one API message of a turn.
type said struct{ text, stop string }

// A consumer takes deltas and can take nothing back.
type consumer struct {
	message int
	text    string
	asides  []string
}

func (c *consumer) take(t testing.TB, deltas []transcript.Delta) {
	t.Helper()
	for _, d := range deltas {
		switch {
		case d.Aside && (d.Text != "" || d.Message != c.message):
			t.Fatalf("aside %+v in message %d", d, c.message)
		case d.Aside:
			c.asides = append(c.asides, c.text)
			c.message, c.text = c.message+1, ""
		case d.Message != c.message || d.Text == "":
			t.Fatalf("delta %+v in message %d", d, c.message)
		default:
			c.text += d.Text
		}
	}
}

// telling is a turn whose text comes from the transcript and from shown pieces.
type telling struct {
	turn   transcript.Turn
	deltas *transcript.Deltas
	consumer
	seq int
}

func newTelling() *telling {
	x := &telling{}
	x.deltas = transcript.NewDeltas(&x.turn)
	x.add(&transcript.User{Text: "what?", Typed: true})
	return x
}

func (x *telling) add(b transcript.Body) {
	x.seq++
	x.turn.Add(transcript.Event{UUID: fmt.Sprint(x.seq), Body: b})
}

// goOn adds the line of a Stop hook that objects.
func (x *telling) goOn(t testing.TB) {
	t.Helper()
	x.seq++
	x.turn.Add(transcript.Event{UUID: fmt.Sprint(x.seq), Meta: true, Body: &transcript.User{Text: "go on"}})
	x.take(t, x.deltas.Next())
}

// record adds the lines of a message: a line for the text, then a line for the tool
// use.
func (x *telling) record(t testing.TB, n int, m said) {
	t.Helper()
	line := func(b transcript.Block) {
		x.add(&transcript.Assistant{MessageID: fmt.Sprint("msg", n), StopReason: m.stop, Blocks: []transcript.Block{b}})
		x.take(t, x.deltas.Next())
	}
	if m.text != "" {
		line(transcript.Block{Type: "text", Text: m.text})
	}
	if m.stop == "tool_use" {
		id := fmt.Sprint("tool", n)
		line(transcript.Block{Type: "tool_use", ID: id, Name: "Read"})
		x.add(&transcript.ToolResults{Results: []transcript.ToolResult{{ToolUseID: id}}})
		x.take(t, x.deltas.Next())
	}
}

// line records a message of one line. The message's text is also its id.
func (x *telling) line(t testing.TB, text, parent string) {
	t.Helper()
	x.turn.Add(transcript.Event{UUID: text, ParentUUID: parent, Body: &transcript.Assistant{
		MessageID: text, StopReason: "end_turn", Blocks: []transcript.Block{{Type: "text", Text: text}}}})
	x.take(t, x.deltas.Next())
}

func (x *telling) show(t testing.TB, n, piece int, text string) {
	t.Helper()
	x.deltas.Show(transcript.Shown{MessageID: fmt.Sprint("shown", n), Index: piece, Text: text})
	x.take(t, x.deltas.Next())
}

func (x *telling) end(t testing.TB) error {
	t.Helper()
	x.add(&transcript.TurnDuration{Duration: 1})
	rest, err := x.deltas.End()
	x.take(t, rest)
	if text := x.turn.Outcome().Text; err == nil && x.text != text {
		t.Fatalf("streamed %q, the answer is %q", x.text, text)
	}
	return err
}

func TestDeltas(t *testing.T) {
	for _, c := range []struct {
		name   string
		tell   func(x *telling, t *testing.T)
		before string // streamed before the end
		text   string
		asides []string
	}{
		{"recorded only", func(x *telling, t *testing.T) {
			x.record(t, 0, said{text: "it", stop: "end_turn"})
		}, "it", "it", nil},
		{"shown first", func(x *telling, t *testing.T) {
			x.show(t, 0, 0, "one\n")
			is.New(t).Equal(x.text, "one\n") // at once
			x.show(t, 0, 1, "two")
			x.record(t, 0, said{text: "one\ntwo", stop: "end_turn"})
		}, "one\ntwo", "one\ntwo", nil},
		{"blocks", func(x *telling, t *testing.T) {
			x.show(t, 0, 0, "one\n")
			x.show(t, 0, 1, "two\n")
			for _, text := range []string{"one\nt", "wo\n", "three"} {
				x.add(&transcript.Assistant{MessageID: "m", StopReason: "end_turn", Blocks: []transcript.Block{{Type: "text", Text: text}}})
				x.take(t, x.deltas.Next())
			}
			x.show(t, 0, 2, "three")
		}, "one\ntwo\nthree", "one\ntwo\nthree", nil},
		{"pieces out of order", func(x *telling, t *testing.T) {
			x.show(t, 0, 1, "two")
			is.New(t).Equal(x.text, "")
			x.show(t, 0, 0, "one\n")
			x.record(t, 0, said{text: "one\ntwo", stop: "end_turn"})
		}, "one\ntwo", "one\ntwo", nil},
		{"a piece is lost", func(x *telling, t *testing.T) {
			x.show(t, 0, 0, "one\n")
			x.show(t, 0, 2, "three")
			x.record(t, 0, said{text: "one\ntwo\nthree", stop: "end_turn"})
		}, "one\ntwo\nthree", "one\ntwo\nthree", nil},
		{"shown after it was recorded", func(x *telling, t *testing.T) {
			x.record(t, 0, said{text: "let me look", stop: "tool_use"})
			x.show(t, 0, 0, "let me look")
			x.show(t, 1, 0, "it ")
			x.record(t, 1, said{text: "it is", stop: "end_turn"})
		}, "it is", "it is", []string{"let me look"}},
		{"narration", func(x *telling, t *testing.T) {
			x.show(t, 0, 0, "let me ")
			x.show(t, 1, 0, "it ") // held until it is known what comes before it
			is.New(t).Equal(x.text, "let me ")
			x.record(t, 0, said{text: "let me look", stop: "tool_use"})
			is.New(t).Equal(x.text, "it ")
			x.record(t, 1, said{text: "it is", stop: "end_turn"})
		}, "it is", "it is", []string{"let me look"}},
		{"narration without a stop reason", func(x *telling, t *testing.T) {
			x.add(&transcript.Assistant{MessageID: "m", Blocks: []transcript.Block{{Type: "text", Text: "let me look"}}})
			x.take(t, x.deltas.Next())
			x.add(&transcript.Assistant{MessageID: "m", Blocks: []transcript.Block{{Type: "tool_use", ID: "t"}}})
			x.add(&transcript.ToolResults{Results: []transcript.ToolResult{{ToolUseID: "t"}}})
			x.take(t, x.deltas.Next())
			x.record(t, 1, said{text: "it", stop: ""})
		}, "it", "it", []string{"let me look"}},
		{"cut and continued", func(x *telling, t *testing.T) {
			x.show(t, 0, 0, "one, ")
			x.record(t, 0, said{text: "one, ", stop: "max_tokens"})
			x.show(t, 1, 0, "two")
			x.record(t, 1, said{text: "two", stop: "end_turn"})
		}, "one, two", "one, two", nil},
		{"a Stop hook objects", func(x *telling, t *testing.T) {
			x.show(t, 0, 0, "first")
			x.record(t, 0, said{text: "first", stop: "end_turn"})
			x.goOn(t)
			x.show(t, 1, 0, "sec")
			is.New(t).Equal(x.asides, []string{"first"})
			x.record(t, 1, said{text: "second", stop: "end_turn"})
		}, "second", "second", []string{"first"}},
		{"shown before what was shown ahead of it", func(x *telling, t *testing.T) {
			x.show(t, 1, 0, "it ")
			x.show(t, 0, 0, "let me look")
			x.record(t, 0, said{text: "let me look", stop: "tool_use"})
			x.show(t, 1, 1, "is")
			x.record(t, 1, said{text: "it is", stop: "end_turn"})
		}, "it is", "it is", nil},
		{"a message that is recorded before an earlier one", func(x *telling, t *testing.T) {
			x.line(t, "second", "first")
			is.New(t).Equal(x.text, "")
			x.show(t, 0, 0, "first")
			x.show(t, 1, 0, "second")
			x.line(t, "first", "1")
		}, "second", "second", []string{"first"}},
		{"a message that is recorded while an earlier one is shown", func(x *telling, t *testing.T) {
			x.show(t, 0, 0, "first")
			x.line(t, "second", "first")
			x.line(t, "first", "1")
			x.show(t, 1, 0, "second")
		}, "second", "second", []string{"first"}},
		{"a Stop hook objects, and there is nothing more to say", func(x *telling, t *testing.T) {
			x.record(t, 0, said{text: "first", stop: "end_turn"})
			x.goOn(t)
			x.add(&transcript.Assistant{MessageID: "thought", StopReason: "end_turn", Blocks: []transcript.Block{{Type: "thinking", Text: "hm"}}})
			x.take(t, x.deltas.Next())
		}, "first", "", []string{"first"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			x := newTelling()
			c.tell(x, t)
			is.Equal(x.text, c.before)
			is.NoErr(x.end(t))
			is.Equal(x.text, c.text)
			is.Equal(x.asides, c.asides)
		})
	}
}

// A connection broke after the agent had shown a piece, and the agent recorded another
// answer.
func TestDeltasDiverge(t *testing.T) {
	is := is.New(t)
	x := newTelling()
	x.show(t, 0, 0, "a piece")
	x.record(t, 1, said{text: "a whole", stop: "end_turn"})
	is.Equal(x.text, "a piece")
	x.show(t, 2, 0, "more")
	is.Equal(x.text, "a piece") // nothing more is streamed
	err := x.end(t)
	var diverged *transcript.DivergenceError
	is.True(errors.As(err, &diverged))
	is.Equal(*diverged, transcript.DivergenceError{Message: 0, Offset: 2})

	// The agent showed the second answer, too: then the first one is an aside.
	x = newTelling()
	x.show(t, 0, 0, "a piece")
	x.show(t, 1, 0, "a whole ")
	x.record(t, 1, said{text: "a whole answer", stop: "end_turn"})
	is.NoErr(x.end(t))
	is.Equal(x.asides, []string{"a piece"})
	is.Equal(x.text, "a whole answer")

	x = newTelling()
	x.show(t, 0, 0, "never recorded")
	is.True(errors.As(x.end(t), &diverged))
	is.Equal(*diverged, transcript.DivergenceError{Message: 0, Offset: 0})
}

// checkDeltas adds a turn's lines and reports in one of their possible orders. A report
// comes early, late or never. If messages begin alike or continue each other, no
// report comes before the message ahead of its own.
func checkDeltas(t *testing.T, rng *rand.Rand) {
	t.Helper()
	const letters = "ab\n"
	word := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte(letters[rng.IntN(len(letters))])
		}
		return b.String()
	}
	x := newTelling()
	type piece struct {
		n, index int
		text     string
	}
	faithful := rng.IntN(4) > 0
	alike := rng.IntN(2) > 0
	messages := make([]said, 1+rng.IntN(5))
	told := make([][]piece, len(messages))
	for n := range messages {
		m := said{text: fmt.Sprint(n) + word(rng.IntN(6)), stop: []string{"end_turn", "tool_use", "max_tokens", ""}[rng.IntN(4)]}
		if alike {
			m.text = "a" + word(rng.IntN(2))
		}
		shown := m.text
		if !faithful && rng.IntN(3) == 0 {
			shown = word(1 + rng.IntN(6))
		}
		for i := 0; shown != ""; i++ {
			k := 1 + rng.IntN(len(shown))
			told[n] = append(told[n], piece{n, i, shown[:k]})
			shown = shown[k:]
		}
		messages[n] = m
	}
	var late []piece
	cut := false
	for n, m := range messages {
		pieces := told[n]
		if cut = cut || m.stop == "max_tokens"; !alike && !cut && n+1 < len(messages) && rng.IntN(4) == 0 {
			p := told[n+1][0] // overtakes
			x.show(t, p.n, p.index, p.text)
		}
		early := pieces[:rng.IntN(len(pieces)+1)]
		if alike && len(early) > 0 {
			for _, p := range late {
				x.show(t, p.n, p.index, p.text)
			}
			late = nil
		}
		for _, p := range early {
			x.show(t, p.n, p.index, p.text)
		}
		x.record(t, n, m)
		if m.stop == "end_turn" || m.stop == "" { // or the turn would be over
			x.goOn(t)
		}
		late = append(late, pieces[len(early):]...)
		rng.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
		if alike {
			slices.SortStableFunc(late, func(a, b piece) int { return a.n - b.n })
		}
		for k := rng.IntN(len(late) + 1); k > 0 && (!faithful || len(early) > 0 || n == 0); k-- {
			x.show(t, late[0].n, late[0].index, late[0].text)
			late = late[1:]
		}
	}
	if err := x.end(t); err != nil && faithful {
		t.Fatalf("what was shown was recorded, and yet: %v", err)
	}
}

func TestDeltasInAnyOrder(t *testing.T) {
	for seed := range uint64(20_000) {
		checkDeltas(t, rand.New(rand.NewPCG(seed, 0)))
		if t.Failed() {
			t.Fatal("seed", seed)
		}
	}
}

// 2.1.158 can record the second part of an answer before the prompt, and the first part
// after it. Each line names the line that it follows.
func TestDeltasShownBeforeRecorded(t *testing.T) {
	is := is.New(t)
	x := &telling{}
	x.deltas = transcript.NewDeltas(&x.turn)
	record := func(uuid, parent string, b transcript.Body) {
		x.turn.Add(transcript.Event{UUID: uuid, ParentUUID: parent, Body: b})
		x.take(t, x.deltas.Next())
	}
	said := func(text, stop string) *transcript.Assistant {
		return &transcript.Assistant{MessageID: text, StopReason: stop, Blocks: []transcript.Block{{Type: "text", Text: text}}}
	}
	x.deltas.Show(transcript.Shown{MessageID: "a", Text: "one "})
	x.deltas.Show(transcript.Shown{MessageID: "b", Text: "two "})
	record("2", "1", said("two ", "max_tokens"))
	record("p", "", &transcript.User{Text: "what?", Typed: true})
	is.Equal(x.text, "one ")
	record("1", "p", said("one ", "max_tokens"))
	record("3", "2", said("three", "end_turn"))
	is.Equal(x.text, "one two three")
	is.NoErr(x.end(t))
	is.Equal(x.asides, nil)
}

// On a busy machine 2.1.104 wrote the second block of a message before the first. The
// second block waits for the line that it follows, but not for long: that line may be
// of a kind that the package does not read.
func TestDeltasBlockOvertakes(t *testing.T) {
	type line struct {
		uuid, parent string
		body         transcript.Body
	}
	block := func(text string) *transcript.Assistant {
		return &transcript.Assistant{MessageID: "m", StopReason: "end_turn", Blocks: []transcript.Block{{Type: "text", Text: text}}}
	}
	prompt := line{"p", "", &transcript.User{Text: "what?", Typed: true}}
	attached := line{"a", "p", &transcript.Unknown{Type: "attachment"}}
	first, second := line{"1", "a", block("one ")}, line{"2", "1", block("two")}
	still := line{"", "", &transcript.Idle{Quiet: transcript.DefaultSettle}}
	quiet := line{"", "", &transcript.Idle{Quiet: time.Second}}
	for _, c := range []struct {
		name  string
		lines []line
		text  string
		err   bool
	}{
		{"in order", []line{prompt, attached, first}, "one ", false},
		{"overtaken", []line{prompt, attached, second, still}, "", false},
		{"and there", []line{prompt, attached, second, first}, "one two", false},
		{"not known", []line{prompt, first, quiet}, "one ", false},
		{"not waited for", []line{prompt, attached, second, quiet, first}, "two", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			x := &telling{}
			x.deltas = transcript.NewDeltas(&x.turn)
			for _, l := range c.lines {
				x.turn.Add(transcript.Event{UUID: l.uuid, ParentUUID: l.parent, Body: l.body})
				x.take(t, x.deltas.Next())
			}
			is.Equal(x.text, c.text)
			is.Equal(x.end(t) != nil, c.err)
		})
	}
}
