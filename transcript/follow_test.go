package transcript_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/transcript/transcripttest"
)

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// eachWay runs a test with notification and a very slow poll, and with polling alone.
func eachWay(t *testing.T, test func(t *testing.T, f transcript.Follower)) {
	t.Run("notified", func(t *testing.T) { test(t, transcript.Follower{Poll: time.Minute}) })
	t.Run("polling", func(t *testing.T) { test(t, transcript.Follower{Poll: time.Millisecond, PollOnly: true}) })
}

func TestFollowWaitsForTheTree(t *testing.T) {
	eachWay(t, func(t *testing.T, f transcript.Follower) {
		for range 50 {
			is := is.New(t)
			f.Path = filepath.Join(t.TempDir(), "a", "b", "c", session+".jsonl")
			w := transcripttest.Writer{Path: f.Path}
			wrote := make(chan error, 1)
			go func() { wrote <- errors.Join(w.Prompt("hello"), w.Answer("hi")) }()
			events, err := collect(deadline(t), &f, 2)
			is.NoErr(err)
			is.NoErr(<-wrote)
			is.Equal(events[0].Body.(*transcript.User).Text, "hello")
			is.Equal(events[1].Offset, events[0].End)
		}
	})
}

func TestFollowSeesEachLineAsItComes(t *testing.T) {
	eachWay(t, func(t *testing.T, f transcript.Follower) {
		is := is.New(t)
		f.Path = filepath.Join(t.TempDir(), session+".jsonl")
		w := transcripttest.Writer{Path: f.Path}
		is.NoErr(w.Prompt("0"))
		n := 0
		for ev, err := range f.Events(deadline(t)) {
			is.NoErr(err)
			is.Equal(ev.Body.(*transcript.User).Text, fmt.Sprint(n))
			if n++; n == 100 {
				break
			}
			is.NoErr(w.Prompt(fmt.Sprint(n)))
		}
		is.Equal(n, 100)
	})
}

func TestFollowFromAnOffset(t *testing.T) {
	is := is.New(t)
	f := transcript.Follower{Path: filepath.Join(t.TempDir(), session+".jsonl")}
	w := transcripttest.Writer{Path: f.Path}
	is.NoErr(errors.Join(w.Prompt("one"), w.Noise("api-request-blob", 200<<10), w.Prompt("two")))
	all, err := collect(deadline(t), &f, 3)
	is.NoErr(err)
	f.Offset = all[1].End
	rest, err := collect(deadline(t), &f, 1)
	is.NoErr(err)
	is.Equal(rest[0], all[2])
}

// TestSplits writes one transcript in pieces of every kind. The events must not depend
// on the pieces, nor on garbage between the lines.
func TestSplits(t *testing.T) {
	is := is.New(t)
	whole := mixedTurn(t, nil)
	want := decodeAll(whole)
	is.Equal(outcomeOf(want).Text, "the answer")

	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			random := rand.New(rand.NewPCG(seed, 0))
			path := filepath.Join(t.TempDir(), session+".jsonl")
			w := transcripttest.Writer{Path: path}
			wrote := make(chan error, 1)
			go func() {
				var err error
				for rest := whole; len(rest) > 0 && err == nil; {
					n := min(len(rest), 1+random.IntN(1<<random.IntN(18)))
					err = w.Raw(rest[:n])
					rest = rest[n:]
					runtime.Gosched()
				}
				wrote <- err
			}()
			got, err := collect(deadline(t), &transcript.Follower{Path: path}, len(want))
			is.NoErr(err)
			is.NoErr(<-wrote)
			is.True(reflect.DeepEqual(got, want))
		})
	}

	t.Run("garbage", func(t *testing.T) {
		is := is.New(t)
		noisy := decodeAll(mixedTurn(t, []string{"", "garbage", "{", "}{", "[]", "null", `"type"`, `{"type":"assistant"`, "{}", `{"type":7}`, "\x00\xff", strings.Repeat("[", 5000)}))
		is.Equal(outcomeOf(noisy), outcomeOf(want))
	})
}

// mixedTurn is a turn of many kinds of lines with garbage between them.
func mixedTurn(t testing.TB, garbage []string) []byte {
	t.Helper()
	is := is.New(t)
	path := filepath.Join(t.TempDir(), session+".jsonl")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := transcripttest.Writer{Path: path, Now: func() time.Time { at = at.Add(time.Millisecond); return at }}
	for _, write := range []func() error{
		func() error { return w.Noise("mode", 10) },
		func() error { return w.Prompt("question\nwith \"lines\" and 😀") },
		func() error { return w.Noise("api-request-blob", 90<<10) },
		func() error {
			return w.Assistant(transcripttest.Message{StopReason: "tool_use", InputTokens: 1, OutputTokens: 2, Blocks: []transcripttest.Block{
				{Thinking: "hm"}, {Text: "let me look"}, {ToolUse: &transcripttest.ToolUse{ID: "t1", Name: "Bash"}}}})
		},
		func() error { return w.ToolResult("t1", "found") },
		func() error {
			return w.Assistant(transcripttest.Message{StopReason: "end_turn", InputTokens: 3, OutputTokens: 4, Blocks: []transcripttest.Block{
				{Text: "the "}, {Text: "answer"}}})
		},
		func() error { return w.TurnDuration(time.Second) },
	} {
		for _, g := range garbage {
			is.NoErr(w.Raw([]byte(g + "\n")))
		}
		is.NoErr(write())
	}
	b, err := os.ReadFile(path)
	is.NoErr(err)
	return b
}

func decodeAll(b []byte) (events []transcript.Event) {
	var offset int64
	for line := range bytes.Lines(b) {
		ev := transcript.Decode(bytes.TrimSuffix(line, []byte("\n")))
		ev.Offset, ev.End = offset, offset+int64(len(line))
		offset = ev.End
		events = append(events, ev)
	}
	return events
}

func outcomeOf(events []transcript.Event) transcript.Outcome {
	var turn transcript.Turn
	for _, ev := range events {
		turn.Add(ev)
	}
	return turn.Outcome()
}

func TestFollowFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(path string) error
		want error
	}{
		{"truncated", func(path string) error { return os.Truncate(path, 10) }, transcript.ErrTruncated},
		{"emptied", func(path string) error { return os.Truncate(path, 0) }, transcript.ErrTruncated},
		{"removed", os.Remove, transcript.ErrRemoved},
		{"removed with its directory", func(path string) error { return os.RemoveAll(filepath.Dir(path)) }, fs.ErrNotExist},
		{"replaced", func(path string) error {
			if err := os.WriteFile(path+".new", []byte("{}\n"), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}, transcript.ErrReplaced},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, f transcript.Follower) {
				is := is.New(t)
				f.Path = filepath.Join(t.TempDir(), "dir", session+".jsonl")
				w := transcripttest.Writer{Path: f.Path}
				is.NoErr(w.Prompt("hello"))
				var last error
				for _, err := range f.Events(deadline(t)) {
					last = err
					if err == nil {
						is.NoErr(c.do(f.Path))
					}
				}
				is.True(errors.Is(last, c.want))
				var pathError *fs.PathError
				is.True(errors.As(last, &pathError))
				is.Equal(pathError.Path, f.Path)
			})
		})
	}
}

func TestFollowOffsetBeyondTheFile(t *testing.T) {
	is := is.New(t)
	f := transcript.Follower{Path: filepath.Join(t.TempDir(), "x"), Offset: 1000}
	touch(t, f.Path)
	_, err := collect(deadline(t), &f, 1)
	is.True(errors.Is(err, transcript.ErrTruncated))
}

func TestFollowEndsWithItsContext(t *testing.T) {
	for _, c := range []struct {
		name  string
		exist bool
	}{{"waiting for the file", false}, {"waiting for lines", true}} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "x", session+".jsonl")
			if c.exist {
				touch(t, path)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			n := 0
			for ev, err := range transcript.Follow(ctx, path) {
				n++
				is.Equal(err, context.DeadlineExceeded)
				is.Equal(ev, transcript.Event{})
			}
			is.Equal(n, 1)
		})
	}
}

func TestFollowADirectory(t *testing.T) {
	is := is.New(t)
	_, err := collect(deadline(t), &transcript.Follower{Path: t.TempDir()}, 1)
	is.True(err != nil)
	is.True(!errors.Is(err, context.DeadlineExceeded))
}

func TestIdle(t *testing.T) {
	is := is.New(t)
	f := transcript.Follower{Path: filepath.Join(t.TempDir(), session+".jsonl"), Idle: 10 * time.Millisecond}
	w := transcripttest.Writer{Path: f.Path}
	is.NoErr(w.Raw([]byte(`{"type":`)))
	events, err := collect(deadline(t), &f, 3)
	is.NoErr(err)
	var before time.Duration
	for _, ev := range events {
		idle := ev.Body.(*transcript.Idle)
		is.True(idle.Torn)
		is.True(idle.Quiet >= f.Idle && idle.Quiet >= 4*before)
		before = idle.Quiet
	}
}

// TestFollowLeavesNothing counts goroutines and descriptors.
func TestFollowLeavesNothing(t *testing.T) {
	is := is.New(t)
	descriptors := func() int {
		names, err := os.ReadDir("/dev/fd")
		is.NoErr(err)
		return len(names)
	}
	run := func(path string) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		defer cancel()
		for range transcript.Follow(ctx, path) {
			break
		}
	}
	dir := t.TempDir()
	there := filepath.Join(dir, session+".jsonl")
	w := transcripttest.Writer{Path: there}
	is.NoErr(w.Prompt("hello"))
	run(there)
	goroutines, fds := runtime.NumGoroutine(), descriptors()
	done := make(chan struct{})
	for range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 20 {
				run(there)
				run(filepath.Join(dir, "no", "such", "file"))
			}
		}()
	}
	for range 8 {
		<-done
	}
	is.Equal(descriptors(), fds)
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		is.True(time.Now().Before(end)) // goroutines are left
	}
}

func TestFollowWithoutNotification(t *testing.T) {
	is := is.New(t)
	t.Cleanup(transcript.BreakNotification())
	var log bytes.Buffer
	f := transcript.Follower{
		Path: filepath.Join(t.TempDir(), "dir", session+".jsonl"),
		Poll: time.Millisecond,
		Log:  slog.New(slog.NewTextHandler(&log, nil)),
	}
	w := transcripttest.Writer{Path: f.Path}
	wrote := make(chan error, 1)
	go func() { wrote <- w.Prompt("hello") }()
	_, err := collect(deadline(t), &f, 1)
	is.NoErr(err)
	is.NoErr(<-wrote)
	is.Equal(strings.Count(log.String(), "\n"), 1) // says so once
}

// FuzzSplits writes the same turn in pieces of any sizes, with any garbage
// between its lines: the events and the outcome stay the same.
func FuzzSplits(f *testing.F) {
	f.Add([]byte{1}, []byte("garbage\n{\n\n[]"))
	f.Add([]byte{0, 255, 3}, []byte(`{"type":"novelty"}`+"\n"+`{"type":"assistant"`+"\n\x00\xff"))
	lines := slices.Collect(bytes.Lines(mixedTurn(f, nil)))
	want := decodeAll(bytes.Join(lines, nil))
	f.Fuzz(func(t *testing.T, sizes, garbage []byte) {
		var noisy []byte
		var ours []bool // of each line
		var noise [][]byte
		for line := range bytes.Lines(garbage) {
			switch transcript.Decode(line).Body.(type) {
			case *transcript.Malformed, *transcript.Unknown:
				noise = append(noise, append(bytes.TrimSuffix(line, []byte("\n")), '\n'))
			}
		}
		for i, line := range lines {
			if len(noise) > 0 {
				noisy, ours = append(noisy, noise[i%len(noise)]...), append(ours, false)
			}
			noisy, ours = append(noisy, line...), append(ours, true)
		}
		read, held := transcript.ReadLines(&pieces{noisy, sizes, 0})
		if whole := strings.Join(read, ""); whole != string(noisy) || held != 0 {
			t.Fatalf("read %d of %d bytes, held %d", len(whole), len(noisy), held)
		}
		var got []transcript.Event
		var turn transcript.Turn
		for i, line := range read {
			ev := transcript.Decode([]byte(strings.TrimSuffix(line, "\n")))
			turn.Add(ev)
			if ours[i] {
				ev.Offset, ev.End = want[len(got)].Offset, want[len(got)].End
				got = append(got, ev)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got, want := turn.Outcome(), outcomeOf(want); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// pieces reads data in pieces of the given sizes, again and again.
type pieces struct {
	data, sizes []byte
	n           int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	size := len(p.data)
	if len(p.sizes) > 0 {
		size = 1 + int(p.sizes[p.n%len(p.sizes)])
		p.n++
	}
	n := copy(b[:min(size, len(b))], p.data)
	p.data = p.data[n:]
	return n, nil
}

// The follower polls rarely while notification works, and often again after the first
// growth without a notification.
func TestFollowWhereNotificationFallsSilent(t *testing.T) {
	is := is.New(t)
	mute, restore := transcript.MuteNotification()
	t.Cleanup(restore)
	f := transcript.Follower{Path: filepath.Join(t.TempDir(), session+".jsonl"), Poll: 25 * time.Millisecond} // 1 s
	w := transcripttest.Writer{Path: f.Path}
	is.NoErr(w.Prompt("0"))
	again := make(chan time.Time) // lines are written while the follower waits
	go func() {
		for range again {
			time.Sleep(5 * time.Millisecond)
			if err := w.Prompt("next"); err != nil {
				t.Error(err)
			}
		}
	}()
	defer close(again)

	lines, rare := 0, false
	last := time.Now()
	for _, err := range f.Events(deadline(t)) {
		is.NoErr(err)
		long := time.Since(last) > 500*time.Millisecond
		if rare {
			is.True(!long)
			return
		}
		if lines++; lines == 10 {
			mute()
		}
		rare = lines > 10 && long // seen by the net; something on its way may have announced the 11th
		last = time.Now()
		again <- last
	}
}

// Read yields the same events as Follow, and does not wait for more.
func TestRead(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), session+".jsonl")
	w := transcripttest.Writer{Path: path}
	is.NoErr(errors.Join(w.Prompt("hello"), w.Answer(strings.Repeat("long ", 100_000)), w.TurnDuration(1)))
	whole, err := os.ReadFile(path)
	is.NoErr(err)
	is.NoErr(os.WriteFile(path, append(whole, []byte(`{"type":"user"`)...), 0o600)) // torn
	followed, err := collect(deadline(t), &transcript.Follower{Path: path}, 3)
	is.NoErr(err)
	var read []transcript.Event
	for ev, err := range transcript.Read(path) {
		is.NoErr(err)
		ev.Raw = nil
		read = append(read, ev)
	}
	for i := range followed {
		followed[i].Raw = nil
	}
	is.Equal(read, followed)
	is.Equal(read[2].End, int64(len(whole)))

	for _, err := range transcript.Read(path + "-not") {
		is.True(errors.Is(err, fs.ErrNotExist))
	}
}
