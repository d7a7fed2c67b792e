package transcript_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/transcript/transcripttest"
)

// The answer to one prompt, as soon as the agent has written it.
func Example() {
	dir, err := os.MkdirTemp("", "transcript")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	const id = "6f1c7a52-0f5e-4a0e-8d55-3d0f3a4f4f10"
	path := transcript.Path(dir, "/home/me/project", id)

	// Here stands in for the agent.
	go func() {
		w := transcripttest.Writer{Path: path}
		err := errors.Join(w.Prompt("How many?"), w.Answer("Three."), w.TurnDuration(time.Second))
		if err != nil {
			log.Print(err)
		}
	}()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	turn := transcript.Turn{SessionID: id, Prompt: "How many?"}
	follower := transcript.Follower{Path: path, Idle: transcript.DefaultSettle}
	for ev, err := range follower.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		turn.Add(ev)
		if turn.Done() {
			break
		}
		if retry := turn.Retrying(); retry != nil && !retry.Retryable() {
			log.Fatalf("the service said %d: %s", retry.Status, retry.Message)
		}
	}
	outcome := turn.Outcome()
	fmt.Println(outcome.Kind, outcome.Text)
	// Output: answer Three.
}

// Every line of a transcript.
func ExampleFollow() {
	dir, err := os.MkdirTemp("", "transcript")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	w := transcripttest.Writer{Path: filepath.Join(dir, "session.jsonl")}
	if err := errors.Join(w.Prompt("How many?"), w.Noise("mode", 10), w.Answer("Three."), w.TurnDuration(time.Second)); err != nil {
		log.Fatal(err)
	}

	for ev, err := range transcript.Follow(context.Background(), w.Path) {
		if err != nil {
			log.Fatal(err)
		}
		switch b := ev.Body.(type) {
		case *transcript.User:
			fmt.Println("user:", b.Text)
		case *transcript.Assistant:
			for _, block := range b.Blocks {
				fmt.Println("assistant:", block.Type, block.Text)
			}
		case *transcript.TurnDuration:
			fmt.Println("turn:", b.Duration)
			return
		default:
			fmt.Printf("%T\n", b)
		}
	}
	// Output:
	// user: How many?
	// *transcript.Unknown
	// assistant: text Three.
	// turn: 1s
}

// A service keeps at most a gigabyte of sessions for at most a month. It keeps every
// session that it could still continue.
func ExamplePrune() {
	home, err := os.MkdirTemp("", "transcript")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(home)
	inUse := map[string]bool{"6f1c7a52-0f5e-4a0e-8d55-3d0f3a4f4f10": true}

	report, err := transcript.Prune(context.Background(), home, transcript.PruneConfig{
		MaxAge:  30 * 24 * time.Hour,
		MaxSize: 1 << 30,
		InUse:   func(id string) bool { return inUse[id] },
	})
	if err != nil {
		log.Print(err) // the rest has been pruned
	}
	fmt.Printf("%d sessions removed, %d bytes\n", len(report.Removed), report.Freed)
	// Output: 0 sessions removed, 0 bytes
}

// The sessions of a home.
func ExampleSessions() {
	home, err := os.MkdirTemp("", "transcript")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(home)
	w := transcripttest.Writer{Path: transcript.Path(home, "/home/me/project", "6f1c7a52-0f5e-4a0e-8d55-3d0f3a4f4f10")}
	if err := w.Prompt("How many?"); err != nil {
		log.Fatal(err)
	}

	for s, err := range transcript.Sessions(home) {
		if err != nil {
			log.Print(err) // and the other folders follow
			continue
		}
		fmt.Println(s.ID, s.Folder, s.Size > 0)
	}
	// Output: 6f1c7a52-0f5e-4a0e-8d55-3d0f3a4f4f10 -home-me-project true
}

// The answer in pieces, from what the agent shows and what it records.
func ExampleDeltas() {
	var turn transcript.Turn
	deltas := transcript.NewDeltas(&turn)
	say := func(deltas []transcript.Delta) {
		for _, d := range deltas {
			fmt.Printf("%q\n", d.Text)
		}
	}
	turn.Add(transcript.Event{Body: &transcript.User{Text: "A poem!"}})
	deltas.Show(transcript.Shown{MessageID: "m", Index: 0, Text: "Roses are red,\n"})
	say(deltas.Next())
	turn.Add(transcript.Event{Body: &transcript.Assistant{
		StopReason: "end_turn",
		Blocks:     []transcript.Block{{Type: "text", Text: "Roses are red,\nviolets are blue."}},
	}})
	say(deltas.Next())
	turn.Add(transcript.Event{Body: &transcript.TurnDuration{}})
	rest, err := deltas.End()
	say(rest)
	fmt.Println(err)
	// Output:
	// "Roses are red,\n"
	// "violets are blue."
	// <nil>
}

// Drift shows that a version of the agent writes another format.
func ExampleDrift() {
	var drift transcript.Drift
	drift.Add(transcript.Decode([]byte(`{"type":"telepathy"}`)))
	fmt.Println(drift.Counts())
	// Output: map[unknown type telepathy:1]
}

// Hooks of the agent append lines to a file of the program. A Format whose Decode is
// the agent's Report reads them, at once or with a [transcript.Follower].
func ExampleFormat() {
	dir, err := os.MkdirTemp("", "transcript")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "hooks.jsonl")
	reported := `{"hook_event_name":"MessageDisplay","message_id":"m","index":0,"delta":"Three."}
{"hook_event_name":"Stop","last_assistant_message":"Three."}
`
	if err := os.WriteFile(path, []byte(reported), 0o600); err != nil {
		log.Fatal(err)
	}

	reports := &transcript.Format{Decode: transcript.Claude().Report}
	for ev, err := range reports.Read(path) {
		if err != nil {
			log.Fatal(err)
		}
		switch b := ev.Body.(type) {
		case *transcript.Shown:
			fmt.Println("shown:", b.Text)
		case *transcript.Stopping:
			fmt.Println("stopping:", b.Text)
		}
	}
	// Output:
	// shown: Three.
	// stopping: Three.
}
