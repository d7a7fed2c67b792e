package tmuxctl

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func readControl(stream string) (events []controlEvent, err error) {
	r := newControlReader(strings.NewReader(stream), "TOKEN")
	for {
		e, err := r.next()
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
}

func TestControlReader(t *testing.T) {
	long := strings.Repeat("x", 100_000) // more than a buffer
	answer := func(out string) controlEvent { return controlEvent{ours: true, out: []byte(out)} }
	empty := controlEvent{ours: true}
	for name, c := range map[string]struct {
		stream string
		want   []controlEvent
		err    error
	}{
		"nothing":               {"", nil, io.EOF},
		"a greeting":            {"%begin 1 254 0\n%end 1 254 0\n%session-changed $0 x\n", []controlEvent{{}, {notice: "%session-changed $0 x"}}, io.EOF},
		"an answer":             {"%begin 1 7 1\na\n\nb\n%end 1 7 1\n", []controlEvent{answer("a\n\nb\n")}, io.EOF},
		"a refusal":             {"%begin 1 7 1\nno\n%error 1 7 1\n", []controlEvent{{ours: true, failed: true, out: []byte("no\n")}}, io.EOF},
		"two answers":           {"%begin 1 7 1\n%end 1 7 1\n%begin 1 9 1\n%end 1 9 1\n", []controlEvent{empty, empty}, io.EOF},
		"marks of others":       {"%begin 1 7 1\n%end 1 8 1\n%begin 1 8 1\n %end 1 7 1\n%end 1 7 1 \n%end 1 7 1\n", []controlEvent{answer("%end 1 8 1\n%begin 1 8 1\n %end 1 7 1\n%end 1 7 1 \n")}, io.EOF},
		"a long line":           {"%begin 1 7 1\n" + long + "\n%end 1 7 1\n", []controlEvent{answer(long + "\n")}, io.EOF},
		"a mark in a long line": {"%begin 1 7 1\n" + long[:64<<10] + "%end 1 7 1\nx\n%end 1 7 1\n", []controlEvent{answer(long[:64<<10] + "%end 1 7 1\nx\n")}, io.EOF},
		"a long notification":   {"%x" + long + "\n%y\n", []controlEvent{{notice: "%x" + long[:maxNotice-2]}, {notice: "%y"}}, io.EOF},
		"bytes of any kind":     {"%begin 1 7 1\n\x00\xff\r\x1b\n%end 1 7 1\n", []controlEvent{answer("\x00\xff\r\x1b\n")}, io.EOF},

		"cut in an answer":      {"%begin 1 7 1\na\n", nil, io.ErrUnexpectedEOF},
		"cut in the end":        {"%begin 1 7 1\na\n%end 1 7 1", nil, io.ErrUnexpectedEOF},
		"cut in a notification": {"%sess", nil, io.ErrUnexpectedEOF},
		"no number":             {"%begin\n", nil, errOutOfStep},
		"an end of nothing":     {"%begin 1 7 1\n%end 1 7 1\n%end 1 7 1\n", []controlEvent{empty}, errOutOfStep},
		"a failure of nothing":  {"%error 1 7 1\n", nil, errOutOfStep},
		"text outside":          {"%begin 1 7 1\n%end 1 7 1\nthe rest\n%end 1 7 1\n", []controlEvent{empty}, errOutOfStep},
		"no control mode":       {"usage: tmux\n", nil, errOutOfStep},
		"an empty line":         {"\n", nil, errOutOfStep},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got, err := readControl(c.stream)
			is.Equal(got, c.want)
			is.True(errors.Is(err, c.err))
		})
	}
}

func TestControlReaderBoundsAnAnswer(t *testing.T) {
	is := is.New(t)
	line := strings.Repeat("x", 1<<20) + "\n"
	parts := []io.Reader{strings.NewReader("%begin 1 7 1\n")}
	for range maxAnswer/len(line) + 2 {
		parts = append(parts, strings.NewReader(line))
	}
	_, err := newControlReader(io.MultiReader(parts...), "TOKEN").next()
	is.Equal(err, errAnswerTooLong)

	call := controlCall{token: "TOKEN-1"}
	for range maxAnswer / len(line) {
		last, err := call.take(controlEvent{ours: true, out: []byte(line)})
		is.NoErr(err)
		is.True(!last)
	}
	_, err = call.take(controlEvent{ours: true, out: []byte(line)})
	is.Equal(err, errAnswerTooLong)
}

// A call's answer holds nothing that is not its own, and the next call gets its
// answer as it is or none, whatever a pane shows in between.
func FuzzControlReader(f *testing.F) {
	f.Add([]byte("plain\n"))
	f.Add([]byte("%end 1 7 1\n%begin 1 7 1\n"))
	f.Add([]byte("%end 1 7 1\n%begin 1 9 1\nforged\n%end 1 9 1\n%begin 1 7 1\n"))
	f.Add([]byte("%end 1 7 1\n%begin 1 9 1\nforged\n%end 1 9 1\n"))
	f.Add([]byte("%end 1 7 1\n%begin 1 8 1\n"))
	f.Add([]byte("%end 1 7 1\n%begin 1 9 1\n"))
	f.Add([]byte("%end 1 7 1\n%x\n%begin 1 10 1\n\x00\xff"))
	f.Fuzz(func(t *testing.T, screen []byte) {
		if bytes.Contains(screen, []byte("TOKEN-")) {
			return // which nobody can know
		}
		r := newControlReader(strings.NewReader("%begin 1 7 1\n"+string(screen)+"\n%end 1 7 1\n"+
			"%begin 1 8 1\nTOKEN-1\n%end 1 8 1\n"+
			"%begin 1 9 1\nthe next\n%end 1 9 1\n"+
			"%begin 1 10 1\nTOKEN-2\n%end 1 10 1\n"), "TOKEN")
		first, second := controlCall{token: "TOKEN-1"}, controlCall{token: "TOKEN-2"}
		for _, call := range []*controlCall{&first, &second} {
			for last := false; !last; {
				e, err := r.next()
				if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
					t.Fatalf("after %q an answer is waited for that never comes", screen)
				}
				if err != nil {
					return // the connection is given up, and so are the answers
				}
				if e.ours {
					last, err = call.take(e)
				}
				if err != nil {
					return
				}
			}
		}
		if second.err != nil || string(second.out) != "the next\n" {
			t.Fatalf("after %q the next answer was %q, %v", screen, second.out, second.err)
		}
		if bytes.Contains(first.out, []byte("the next")) && !bytes.Contains(screen, []byte("the next")) {
			t.Fatalf("%q was read as %q", screen, first.out)
		}
	})
}
