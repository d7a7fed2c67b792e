package tuiturn

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

// shows is an agent that reports what it shows.
func shows(turn fakeagent.Turn) fakeagent.Script {
	return fakeagent.Script{Version: "2.1.330", Turns: []fakeagent.Turn{turn}}
}

// A streamed is what came out of a Stream.
type streamed struct {
	pieces []string // of the last message
	asides []string
	res    *Result
}

// stream runs a turn and checks what is true of every stream.
func (s *stage) stream(ctx context.Context, req Request) (x streamed, err error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req.WorkDir = s.work
	message := 0
	for d, e := range s.Stream(ctx, req) {
		switch {
		case x.res != nil:
			s.t.Errorf("%+v comes after the Result", d)
		case d.Result != nil:
			x.res, err = d.Result, e
		case e != nil:
			s.t.Errorf("error without a Result: %v", e)
		case d.Message != message:
			s.t.Errorf("%+v in message %d", d, message)
		case d.Aside:
			x.asides = append(x.asides, strings.Join(x.pieces, ""))
			x.pieces = nil
			message++
		default:
			x.pieces = append(x.pieces, d.Text)
		}
	}
	if x.res == nil {
		s.t.Fatal("the stream ended without a Result")
	}
	if text := strings.Join(x.pieces, ""); err == nil && text != x.res.Text {
		s.t.Errorf("streamed %q, the answer is %q", text, x.res.Text)
	}
	return x, err
}

func TestStream(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		for name, c := range map[string]struct {
			script fakeagent.Script
			text   string
			asides []string
		}{
			"by the line":    {shows(fakeagent.Turn{Text: "one\ntwo\n\nthree"}), "one\ntwo\n\nthree", nil},
			"by the message": {answers(fakeagent.Turn{Text: "one\ntwo"}), "one\ntwo", nil},
			"an agent that must not be told of the hook": {
				fakeagent.Script{Version: "2.1.104", StrictHooks: true, Turns: []fakeagent.Turn{{Text: "one\ntwo", NoDuration: true}}},
				"one\ntwo", nil,
			},
			"blocks":    {shows(fakeagent.Turn{Blocks: []string{"one\ntw", "o"}}), "one\ntwo", nil},
			"narration": {shows(fakeagent.Turn{Text: "it is done", Tool: &fakeagent.Tool{Narration: "I will look"}}), "it is done", []string{"I will look"}},
			"objection": {shows(fakeagent.Turn{Text: "first", Objection: "more"}), "Then: more", []string{"first"}},
			"the rest":  {shows(fakeagent.Turn{Text: "one\ntwo\nthree", Shown: []string{"one\n"}}), "one\ntwo\nthree", nil},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				s := on.newStage(t, c.script)
				x, err := s.stream(t.Context(), Request{Prompt: "hello"})
				is.NoErr(err)
				is.Equal(strings.Join(x.pieces, ""), c.text)
				is.Equal(x.asides, c.asides)
			})
		}
	})
}

// A piece is passed on when it is shown, and not when the answer is whole.
func TestStreamIsEarly(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, shows(fakeagent.Turn{Text: "one\ntwo\nthree", ShowDelay: 300 * time.Millisecond}))
	var first, done time.Time
	_, err := s.turn(t.Context(), Request{
		Prompt: "hello",
		OnDelta: func(d Delta) {
			if first.IsZero() {
				first = time.Now()
			}
		},
		Trace: &Trace{Done: func() { done = time.Now() }},
	})
	is.NoErr(err)
	is.True(done.Sub(first) > 500*time.Millisecond) // two pieces came after it
}

// The agent recorded another text than it had shown.
func TestStreamDiverges(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, shows(fakeagent.Turn{Text: "a whole answer", Shown: []string{"a piece", ""}, ShowDelay: 200 * time.Millisecond}))
	x, err := s.stream(t.Context(), Request{Prompt: "hello"})
	is.Equal(*as[*DivergenceError](t, err), DivergenceError{Message: 0, Offset: 2})
	is.Equal(x.pieces, []string{"a piece"})
	is.Equal(x.res.Text, "a whole answer")
}

func TestStreamIsBrokenOff(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, shows(fakeagent.Turn{Text: strings.Repeat("line\n", 100), ShowDelay: 50 * time.Millisecond}))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		n := 0
		var broken time.Time
		for _, err := range s.Stream(ctx, Request{Prompt: "hello", WorkDir: s.work}) {
			is.NoErr(err)
			n++
			broken = time.Now()
			break
		}
		is.Equal(n, 1)
		is.True(inTime(time.Since(broken), 2*time.Second))
		dirs, err := filepath.Glob(filepath.Join(s.TempDir, "*", "t-*"))
		is.NoErr(err)
		is.Equal(len(dirs), 0) // nothing of the turn is left
	})
}

// A loop that panics leaves no turn behind.
func TestStreamPanics(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, shows(fakeagent.Turn{Text: "one\ntwo"}))
	func() {
		defer func() { is.Equal(recover(), "no more") }()
		for range s.Stream(t.Context(), Request{Prompt: "hello", WorkDir: s.work}) {
			panic("no more")
		}
	}()
	dirs, err := filepath.Glob(filepath.Join(s.TempDir, "*", "t-*"))
	is.NoErr(err)
	is.Equal(len(dirs), 0)
}

// Until the Stop hooks have run, an answer is not the last word: one that takes
// longer than any silence that is waited for objects here.
func TestStopHookObjects(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, answers(fakeagent.Turn{Text: "first", Objection: "more", ObjectDelay: 700 * time.Millisecond, NoDuration: true}))
		res, err := s.turn(t.Context(), Request{Prompt: "hello"})
		is.NoErr(err)
		is.Equal(res.Text, "Then: more")
	})
}
