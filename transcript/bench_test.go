//go:build unix

package transcript_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/transcript/transcripttest"
)

// The benchmarks called "straightforward" read a transcript in the simplest way: the
// whole file, each line with encoding/json, four times a second.

func BenchmarkSkip(b *testing.B) {
	escaped := strings.Repeat(`a line of \"text\", as requests have it\n`, 90<<10/40)
	nested := strings.Repeat(`{"role":"user","content":[{"type":"text","text":"a few words"}],"n":12},`, 90<<10/72)
	for _, c := range []struct{ name, line string }{
		{"type first", `{"type":"api-request-blob","message":"` + escaped + `"}`},
		{"type last", `{"message":{"content":"` + escaped + `"},"type":"api-request-blob"}`},
		{"type last, nothing escaped", `{"message":"` + strings.Repeat("a", 90<<10) + `","type":"api-request-blob"}`},
		{"type last, nested", `{"message":[` + nested + `0],"type":"api-request-blob"}`},
		{"attachment", `{"parentUuid":"u","attachment":{"type":"skill_listing","content":"` + escaped + `"},"type":"attachment","uuid":"v"}`},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkLine(b, c.line, func(line []byte) { transcript.Decode(line) }) })
	}
	b.Run("straightforward", func(b *testing.B) {
		benchmarkLine(b, `{"message":{"content":"`+escaped+`"},"type":"api-request-blob"}`, straightforward)
	})
}

func BenchmarkDecode(b *testing.B) {
	const (
		prose = "The quick brown fox, which had been waiting for a while, jumped over the lazy dog.\n\n"
		code  = "\tif err := json.Unmarshal([]byte(`{\"a\": \"b\"}`), &v); err != nil {\n\t\treturn err\n\t}\n"
		list  = "an answer\n"
	)
	for _, c := range []struct {
		name    string
		content any
	}{
		{"prose", textBlock(strings.Repeat(prose, 100))},
		{"code", textBlock(strings.Repeat(code, 100))},
		{"short lines", textBlock(strings.Repeat(list, 1000))},
		{"not Latin", textBlock(strings.Repeat("何かの答え、絵文字も😀。\n", 300))},
		{"short answer", textBlock("It is three.")},
		{"tool use", obj{"type": "tool_use", "id": "t", "name": "Write", "input": obj{"file_path": "/a/b", "content": strings.Repeat(code, 100)}}},
		{"tool result", obj{"type": "tool_result", "tool_use_id": "t", "content": strings.Repeat(code, 100)}},
	} {
		typ := "assistant"
		if c.name == "tool result" {
			typ = "user"
		}
		w := transcripttest.Writer{Path: session + ".jsonl"}
		l := w.Line(typ)
		l["message"] = obj{
			"id": "msg_1", "type": "message", "role": typ, "model": "claude-test", "content": []any{c.content},
			"stop_reason": "end_turn", "stop_sequence": nil, "usage": obj{"input_tokens": 12, "output_tokens": 3456},
		}
		var line strings.Builder
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false) // nor does the agent
		if err := e.Encode(l); err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) { benchmarkLine(b, line.String(), func(line []byte) { transcript.Decode(line) }) })
		if c.name == "prose" {
			b.Run(c.name+", straightforward", func(b *testing.B) { benchmarkLine(b, line.String(), straightforward) })
		}
	}
}

type obj = map[string]any

func textBlock(text string) obj { return obj{"type": "text", "text": text} }

func benchmarkLine(b *testing.B, s string, read func([]byte)) {
	line := []byte(s)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		read(line)
	}
	// The rate of one core, also on a machine with other work.
	took := processorTime(b) - before
	b.ReportMetric(float64(len(line)*b.N)/1e6/max(took, 1).Seconds(), "MB/cpu-s")
}

func straightforward(line []byte) {
	var l struct {
		Type, Subtype string
		Message       struct {
			Content    json.RawMessage
			StopReason string `json:"stop_reason"`
		}
	}
	_ = json.Unmarshal(line, &l)
	var blocks []struct{ Type, Text string }
	_ = json.Unmarshal(l.Message.Content, &blocks)
}

// BenchmarkLatency measures the time from the write of a turn's last line to its
// outcome. One operation is many turns.
func BenchmarkLatency(b *testing.B) {
	b.Run("follower", func(b *testing.B) {
		benchmarkLatency(b, 200, 5*time.Millisecond, func(ctx context.Context, path string, prompt func(int) string, done chan<- time.Time) error {
			n := 0
			turn := transcript.Turn{Prompt: prompt(n)}
			f := transcript.Follower{Path: path, Idle: transcript.DefaultSettle}
			for ev, err := range f.Events(ctx) {
				if err != nil {
					return err
				}
				turn.Add(ev)
				if turn.Done() && turn.Outcome().Text == "it" {
					done <- time.Now()
					n++
					turn = transcript.Turn{Prompt: prompt(n)}
				}
			}
			return nil
		})
	})
	b.Run("straightforward", func(b *testing.B) {
		benchmarkLatency(b, 8, 250*time.Millisecond, func(ctx context.Context, path string, _ func(int) string, done chan<- time.Time) error {
			tick := time.NewTicker(250 * time.Millisecond)
			defer tick.Stop()
			for n := 0; ; {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-tick.C:
				}
				whole, err := os.ReadFile(path)
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					return err
				}
				for line := range bytes.Lines(whole) {
					straightforward(line)
				}
				if bytes.Count(whole, []byte("turn_duration")) > n {
					n++
					done <- time.Now()
				}
			}
		})
	})
}

func benchmarkLatency(b *testing.B, turns int, pause time.Duration, follow func(context.Context, string, func(int) string, chan<- time.Time) error) {
	var took []time.Duration
	for b.Loop() {
		path := filepath.Join(b.TempDir(), session+".jsonl")
		prompt := func(n int) string { return fmt.Sprint("prompt ", n) }
		ctx, cancel := context.WithCancel(b.Context())
		done, ended := make(chan time.Time, 1), make(chan error, 1)
		go func() { ended <- follow(ctx, path, prompt, done) }()
		w := transcripttest.Writer{Path: path}
		for n := range turns {
			if err := errors.Join(w.Prompt(prompt(n)), w.Answer("it")); err != nil {
				b.Fatal(err)
			}
			// The agent pauses before its last line, so that all threads go to sleep.
			time.Sleep(rand.N(pause))
			begin := time.Now()
			if err := w.TurnDuration(time.Second); err != nil {
				b.Fatal(err)
			}
			select {
			case at := <-done:
				took = append(took, at.Sub(begin))
			case err := <-ended:
				b.Fatal(err)
			}
		}
		cancel()
		<-ended
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "median-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFollowing measures the processor time that a follower takes for a turn of
// ten minutes and 100 lines. It runs a tenth of the turn at a hundred times its speed:
// 10 lines in 0.6 s, with all waiting times divided by a hundred. It multiplies the
// result by ten. Another process writes. The first line does not count, because until
// then the follower cannot know that notification works.
//
// Most of the time is the cost of wake-ups, which differs between machines by more
// than ten times. "nobody" shows that cost: a loop that wakes up once a line.
func BenchmarkFollowing(b *testing.B) {
	const (
		share = 10
		lines = 100 / share
		speed = 100
		pause = 10 * time.Minute / 100 / speed
		poll  = 250 * time.Millisecond / speed
	)
	for _, c := range []struct {
		name   string
		size   int64 // of what is there before
		follow func(ctx context.Context, path string, size int64)
	}{
		{"nobody", 0, func(ctx context.Context, _ string, _ int64) {
			for ctx.Err() == nil {
				time.Sleep(pause)
			}
		}},
		{"empty file", 0, follower(transcript.Follower{Poll: poll})},
		{"1 GB file", 1 << 30, follower(transcript.Follower{Poll: poll})},
		{"with Idle", 0, follower(transcript.Follower{Poll: poll, Idle: transcript.DefaultSettle / speed})},
		{"polling alone", 0, follower(transcript.Follower{Poll: poll, PollOnly: true})},
		{"straightforward, 1 MB file", 1 << 20, func(ctx context.Context, path string, _ int64) {
			for ctx.Err() == nil {
				whole, _ := os.ReadFile(path)
				for line := range bytes.Lines(whole) {
					straightforward(line)
				}
				time.Sleep(poll)
			}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took time.Duration
			for b.Loop() {
				path := filepath.Join(b.TempDir(), session+".jsonl")
				w := transcripttest.Writer{Path: filepath.Join(b.TempDir(), "line")}
				if err := errors.Join(fill(path, c.size), w.Answer("it")); err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(b.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); c.follow(ctx, path, c.size) }()
				write := exec.Command("/bin/sh", "-c", fmt.Sprintf(
					`for i in $(seq %d); do sleep %f; cat "$1" >> "$2"; done`, 1+lines, pause.Seconds()), "sh", w.Path, path)
				if err := write.Start(); err != nil {
					b.Fatal(err)
				}
				time.Sleep(3 * pause / 2)
				before := processorTime(b)
				if err := write.Wait(); err != nil {
					b.Fatal(err)
				}
				took += processorTime(b) - before
				cancel()
				<-ended
			}
			b.ReportMetric(share*float64(took.Microseconds())/1000/float64(b.N), "cpu-ms/turn")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func follower(f transcript.Follower) func(context.Context, string, int64) {
	return func(ctx context.Context, path string, size int64) {
		f.Path, f.Offset = path, size
		for range f.Events(ctx) {
		}
	}
}

// fill makes a file of size bytes: an agent's lines up to 1 MB, then a hole.
func fill(path string, size int64) error {
	var line bytes.Buffer
	if size > 0 && size <= 1<<20 {
		line.WriteString(`{"type":"user","message":{"content":"` + strings.Repeat("a word and another ", 50) + `"}}` + "\n")
		whole := bytes.Repeat(line.Bytes(), int(size)/line.Len())
		return os.WriteFile(path, whole, 0o600)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// processorTime returns the processor time that this process has used so far.
func processorTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkFind uses a home with 10,000 folders and 100,000 sessions. If each benchmark
// runs only once it uses a tenth of that, because making and removing the files takes
// longer than all other benchmarks.
func BenchmarkFind(b *testing.B) {
	folders := 10_000
	if testing.Short() || flag.Lookup("test.benchtime").Value.String() == "1x" {
		folders /= 10
	}
	home := b.TempDir()
	workdir := func(i int) string { return fmt.Sprint("/work/", i) }
	id := func(i, j int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", i, j) }
	for i := range folders {
		for j := range 10 {
			path := transcript.Path(home, workdir(i), id(i, j))
			if j == 0 {
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					b.Fatal(err)
				}
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	some := folders / 2
	want := transcript.Path(home, workdir(some), id(some, 5))
	b.Run("with the working directory", func(b *testing.B) {
		for b.Loop() {
			if got, err := transcript.FindIn(home, workdir(some), id(some, 5)); err != nil || got != want {
				b.Fatal(got, err)
			}
		}
	})
	b.Run("without", func(b *testing.B) {
		for b.Loop() {
			if got, err := transcript.Find(home, id(some, 5)); err != nil || got != want {
				b.Fatal(got, err)
			}
		}
	})
	b.Run("without, straightforward", func(b *testing.B) {
		for b.Loop() {
			got, err := filepath.Glob(filepath.Join(home, ".claude", "projects", "*", id(some, 5)+".jsonl"))
			if err != nil || len(got) != 1 {
				b.Fatal(got, err)
			}
		}
	})
	b.Run("newest in the working directory", func(b *testing.B) {
		for b.Loop() {
			if _, err := transcript.Newest(home, workdir(some)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range transcript.Sessions(home) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != 10*folders {
				b.Fatal(n)
			}
		}
	})
	b.Run("prune nothing", func(b *testing.B) {
		for b.Loop() {
			if _, err := transcript.Prune(b.Context(), home, transcript.PruneConfig{MaxAge: time.Hour}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
