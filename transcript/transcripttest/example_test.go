package transcripttest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/transcript/transcripttest"
)

// A tool is used, and then the service fails.
func ExampleWriter() {
	dir, err := os.MkdirTemp("", "transcripttest")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	const id = "6f1c7a52-0f5e-4a0e-8d55-3d0f3a4f4f10"
	w := transcripttest.Writer{Path: transcript.Path(dir, "/work", id)}
	err = errors.Join(
		w.Prompt("How many files?"),
		w.Assistant(transcripttest.Message{StopReason: "tool_use", Blocks: []transcripttest.Block{
			{Text: "I will look."},
			{ToolUse: &transcripttest.ToolUse{ID: "toolu_1", Name: "Bash", Input: map[string]string{"command": "ls"}}},
		}}),
		w.ToolResult("toolu_1", "a b c"),
		w.APIError(transcripttest.APIError{Status: 529, Type: "overloaded_error", Message: "Overloaded"}),
	)
	if err != nil {
		log.Fatal(err)
	}

	turn := transcript.Turn{SessionID: id, Prompt: "How many files?"}
	for event, err := range transcript.Read(w.Path) {
		if err != nil {
			log.Fatal(err)
		}
		turn.Add(event)
	}
	outcome := turn.Outcome()
	fmt.Println(outcome.Kind, outcome.APIError.Status, outcome.APIError.Type)
	// Output: failed 529 overloaded_error
}

// A line that is written in two pieces, as a reader may find it.
func ExampleWriter_Raw() {
	dir, err := os.MkdirTemp("", "transcripttest")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	w := transcripttest.Writer{Path: filepath.Join(dir, "session.jsonl"), SessionID: "session"}
	if err := w.Prompt("How many?"); err != nil {
		log.Fatal(err)
	}

	lines := w.AssistantLines(transcripttest.Message{
		StopReason: "end_turn",
		Blocks:     []transcripttest.Block{{Thinking: "let me count"}, {Text: "Three."}},
	})
	var whole []byte
	for _, l := range lines {
		b, err := json.Marshal(l)
		if err != nil {
			log.Fatal(err)
		}
		whole = append(append(whole, b...), '\n')
	}
	for _, piece := range [][]byte{whole[:100], whole[100:]} {
		if err := w.Raw(piece); err != nil {
			log.Fatal(err)
		}
	}

	written, err := os.ReadFile(w.Path)
	if err != nil {
		log.Fatal(err)
	}
	var turn transcript.Turn
	for line := range bytes.Lines(written) {
		turn.Add(transcript.Decode(line))
	}
	fmt.Println(turn.State(), turn.Outcome().Text)
	// Output: final Three.
}
