package transcript_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/transcript/transcripttest"
)

func TestDrift(t *testing.T) {
	const common = `"uuid":"u","sessionId":"s","version":"v","timestamp":"2026-01-02T03:04:05.678Z"`
	for _, c := range []struct{ line, want string }{
		// What the known versions write.
		{`{"type":"mode"}`, ""},
		{`{"type":"attachment","attachment":{"type":"skill_listing"}}`, ""},
		{`{"type":"user","message":{"content":""},` + common + `}`, ""},
		{`{"type":"assistant","message":{"id":"m","stop_reason":null,"usage":{},"content":[{"type":"text"}]},` + common + `}`, ""},
		{`{"type":"system","subtype":"turn_duration","durationMs":0,` + common + `}`, ""},
		{`{"type":"system","subtype":"compact_boundary",` + common + `}`, ""},

		{`{"type":"user",`, "malformed line"},
		{`{"type":"novelty"}`, "unknown type novelty"},
		{`{}`, "unknown type "},
		{`{"type":"system","subtype":"turn_ended",` + common + `}`, "unknown subtype turn_ended"},
		{`{"type":"user","message":{"body":"hi"},` + common + `}`, "missing message.content"},
		{`{"type":"user","msg":{"content":"hi"},` + common + `}`, "missing message.content"},
		{`{"type":"user","message":{"content":[{"type":"tool_result"}]},` + common + `}`, "missing tool_use_id"},
		{`{"type":"assistant","message":{"usage":{},"content":[],"stop_reason":"end_turn"},` + common + `}`, "missing message.id"},
		{`{"type":"assistant","message":{"id":"m","usage":{},"content":[]},` + common + `}`, "missing message.stop_reason"},
		{`{"type":"assistant","message":{"id":"m","stop_reason":"done","usage":{},"content":[{"type":"song"}]},` + common + `}`, "unknown block song, unknown stop_reason done"},
		{`{"type":"assistant","message":{"id":"m","stop_reason":"tool_use","content":[{"type":"tool_use"}]},` + common + `}`, "missing message.usage, missing tool_use.id"},
		{`{"type":"user","message":{"content":"hi"},"timestamp":"yesterday"}`, "missing sessionId, missing timestamp, missing uuid, missing version"},
	} {
		t.Run(c.line, func(t *testing.T) {
			var d transcript.Drift
			d.Add(transcript.Decode([]byte(c.line)))
			is.New(t).Equal(names(&d), c.want)
		})
	}
}

// Add allocates nothing for a known line.
func TestDriftOfAKnownLine(t *testing.T) {
	is := is.New(t)
	ev := transcript.Decode([]byte(`{"type":"assistant","uuid":"u","sessionId":"s","version":"v","timestamp":"2026-01-02T03:04:05.678Z","message":{"id":"m","stop_reason":null,"usage":{},"content":[]}}`))
	var d transcript.Drift
	is.Equal(testing.AllocsPerRun(100, func() { d.Add(ev) }), 0.0)
	is.Equal(names(&d), "")
}

// names returns the counted names, sorted.
func names(d *transcript.Drift) string {
	counts := d.Counts()
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// A follower finds no drift in an ordinary turn. It counts a new type each time, and
// logs it once.
func TestDriftOfAFollower(t *testing.T) {
	is := is.New(t)
	var log bytes.Buffer
	d := transcript.Drift{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	f := transcript.Follower{Path: filepath.Join(t.TempDir(), session+".jsonl"), Drift: &d}
	w := transcripttest.Writer{Path: f.Path}
	usual := mixedTurn(t, nil)
	is.NoErr(w.Raw(usual))
	_, err := collect(deadline(t), &f, bytes.Count(usual, []byte("\n")))
	is.NoErr(err)
	is.Equal(names(&d), "")

	f.Offset = int64(len(usual))
	for range 3 {
		is.NoErr(w.Noise("novelty", 10))
	}
	_, err = collect(deadline(t), &f, 3)
	is.NoErr(err)
	is.Equal(d.Counts()["unknown type novelty"], int64(3))
	is.Equal(strings.Count(log.String(), "novelty"), 1)
}

// Several goroutines count more names than a Drift keeps.
func TestDriftIsBounded(t *testing.T) {
	is := is.New(t)
	var d transcript.Drift
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 1000 {
				d.Add(transcript.Decode(fmt.Appendf(nil, `{"type":"new-%d-%d-%s"}`, i, j, strings.Repeat("x", 1000))))
			}
		})
	}
	wg.Wait()
	total := int64(0)
	for name, n := range d.Counts() {
		is.True(len(name) < 100)
		total += n
	}
	is.Equal(total, int64(4000))
	is.Equal(len(d.Counts()), 101)
	is.Equal(d.Counts()["other"], int64(4000-100))
}

// A countingHandler reads the counts for each log record.
type countingHandler struct {
	slog.Handler
	counts func() map[string]int64
	seen   []map[string]int64
}

func (h *countingHandler) Handle(context.Context, slog.Record) error {
	h.seen = append(h.seen, h.counts())
	return nil
}

func TestDriftLogsUnlocked(t *testing.T) {
	is := is.New(t)
	var d transcript.Drift
	h := &countingHandler{Handler: slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}), counts: d.Counts}
	d.Log = slog.New(h)
	d.Add(transcript.Decode([]byte(`{"type":"novelty"}`)))
	is.Equal(h.seen, []map[string]int64{{"unknown type novelty": 1}})
}
