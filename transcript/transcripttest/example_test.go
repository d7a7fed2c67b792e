package transcripttest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/transcript/transcripttest"
)

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
