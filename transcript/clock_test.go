package transcript_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
)

// recordings returns transcripts of conversations with real agents, reduced to what
// this package reads. They have a plain answer, tools side by side, several blocks, a
// Stop hook that objects, a retry, a cut answer, HTTP 400, and turns after HTTP 400
// and after a resume.
func recordings(t *testing.T) map[string][]transcript.Event {
	t.Helper()
	is := is.New(t)
	paths, err := filepath.Glob(filepath.Join("testdata", "recorded", "*.jsonl"))
	is.NoErr(err)
	all := make(map[string][]transcript.Event)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		is.NoErr(err)
		all[filepath.Base(path)] = decodeAll(b)
	}
	is.Equal(len(all), 5)
	return all
}

// prompts returns the texts of a recording's prompts.
func prompts(events []transcript.Event) (texts []string) {
	for _, ev := range events {
		if isPrompt(ev) {
			texts = append(texts, ev.Body.(*transcript.User).Text)
		}
	}
	return texts
}

func isPrompt(ev transcript.Event) bool {
	_, ok := ev.Body.(*transcript.User)
	return ok && !ev.Meta
}

// course returns a turn's state, outcome and deltas after each line and after a second
// of silence.
func course(is *is.I, events []transcript.Event, prompt string) (steps []string) {
	turn := transcript.Turn{Prompt: prompt, Settle: -1}
	deltas := transcript.NewDeltas(&turn)
	for _, ev := range append(slices.Clone(events), transcript.Event{Body: &transcript.Idle{Quiet: time.Second}}) {
		turn.Add(ev)
		b, err := json.Marshal([]any{turn.State(), turn.Told(), turn.Outcome(), deltas.Next()})
		is.NoErr(err)
		steps = append(steps, string(b))
	}
	return steps
}

func stepped(events []transcript.Event, at int, by time.Duration) []transcript.Event {
	events = slices.Clone(events)
	for i := at; i < len(events); i++ {
		events[i].Timestamp = events[i].Timestamp.Add(by)
	}
	return events
}

// TestClockSteps sets the clock forward or back by 0.1 s to a day at some lines of a
// recording. The course of the turn must not change.
func TestClockSteps(t *testing.T) {
	for name, events := range recordings(t) {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			rng := rand.New(rand.NewPCG(1, 2))
			for _, prompt := range prompts(events) {
				want := course(is, events, prompt)
				for range 30 {
					now := events
					for range 1 + rng.IntN(3) {
						by := time.Duration(float64(100*time.Millisecond) * math.Pow(10, 5.9*rng.Float64()))
						if rng.IntN(2) == 0 {
							by = -by
						}
						now = stepped(now, rng.IntN(len(now)), by)
					}
					is.Equal(course(is, now, prompt), want)
				}
			}
		})
	}
}

// TestLinesInAnyOrder reorders the lines of each turn of a recording, as 2.1.158 and
// 2.1.294 do with some lines. The outcome must not change.
func TestLinesInAnyOrder(t *testing.T) {
	for name, events := range recordings(t) {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			rng := rand.New(rand.NewPCG(3, 4))
			turns := make([][]transcript.Event, 1) // the first begins before its prompt
			for _, ev := range events {
				if isPrompt(ev) && slices.ContainsFunc(turns[len(turns)-1], isPrompt) {
					turns = append(turns, nil)
				}
				turns[len(turns)-1] = append(turns[len(turns)-1], ev)
			}
			outcome := func(events []transcript.Event, prompt string) string {
				turn := transcript.Turn{Prompt: prompt, Settle: -1}
				for _, ev := range events {
					turn.Add(ev)
				}
				turn.Add(transcript.Event{Body: &transcript.Idle{Quiet: time.Second}})
				o := turn.Outcome()
				return fmt.Sprintf("%v %v %q", turn.State(), o.Kind, o.Text)
			}
			texts := prompts(events)
			is.Equal(len(turns), len(texts))
			for n, prompt := range texts {
				want := outcome(events, prompt)
				for range 50 {
					mixed := slices.Clone(turns)
					mixed[n] = slices.Clone(mixed[n])
					rng.Shuffle(len(mixed[n]), func(i, j int) { mixed[n][i], mixed[n][j] = mixed[n][j], mixed[n][i] })
					is.Equal(outcome(slices.Concat(mixed...), prompt), want)
				}
			}
		})
	}
}
