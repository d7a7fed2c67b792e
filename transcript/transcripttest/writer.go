// Package transcripttest writes transcripts as claude does, for tests of programs
// that read them with package transcript. It starts no agent:
//
//	w := transcripttest.Writer{Path: transcript.Path(t.TempDir(), "/work", id)}
//	err := errors.Join(w.Prompt("How many?"), w.Answer("Three."), w.TurnDuration(time.Second))
//
// A [Writer] has a method for each kind of line that the agent writes. Append and Raw
// write anything else: unusual lines, garbage, half a line. Package tmuxtest has an
// agent that takes prompts.
package transcripttest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A Writer appends to one transcript. Only Path is required. A Writer is not safe for
// concurrent use.
//
// Each method appends complete lines in one write, as the agent does. It makes the
// file and the directories above it if they do not exist. Each line names the line
// before it (uuid and parentUuid).
type Writer struct {
	Path string

	SessionID string // "" means Path's base without its extension
	Version   string // of the agent; "" means "2.1.158"
	Model     string // "" means "claude-test"

	// Sidechain marks the following lines as a subagent's.
	Sidechain bool

	// Now returns the time stamp of a line; nil means time.Now.
	Now func() time.Time

	parent   string
	promptID string
	messages int
}

// Message is one API message. An empty StopReason is written as null, as some builds
// do. Most messages have "end_turn" or "tool_use".
type Message struct {
	ID         string // "" means a new one
	StopReason string
	Blocks     []Block

	InputTokens, OutputTokens int64
}

// Block is one content block. The first of ToolUse, Thinking and Text that is set
// says which kind.
type Block struct {
	Text     string
	Thinking string
	ToolUse  *ToolUse
}

// ToolUse is a request for a tool.
type ToolUse struct {
	ID, Name string
	Input    any // encoded as JSON; nil is {}
}

// APIError is an error of the service.
type APIError struct {
	Status  int    // of HTTP
	Type    string // as the API calls it: "authentication_error"
	Kind    string // as the agent calls it: "authentication_failed"
	Message string
}

// Prompt writes the user line of a prompt that the agent has accepted.
func (w *Writer) Prompt(text string) error {
	w.promptID = rand.Text()
	return w.Append(w.user(text))
}

// Meta writes a remark of the agent in the user's name, such as a Stop hook's
// objection.
func (w *Writer) Meta(text string) error {
	l := w.user(text)
	l["isMeta"] = true
	return w.Append(l)
}

// CompactSummary writes the summary of a compacted conversation.
func (w *Writer) CompactSummary(text string) error {
	l := w.user(text)
	l["isCompactSummary"] = true
	return w.Append(l)
}

// Interrupted writes the user line that records an interruption. messageID may be
// empty, as it is when the agent had not answered anything yet.
func (w *Writer) Interrupted(messageID string) error {
	l := w.user([]any{obj{"type": "text", "text": "[Request interrupted by user]"}})
	if messageID != "" {
		l["interruptedMessageId"] = messageID
	}
	return w.Append(l)
}

// Answer writes an assistant message with one text block and the stop reason
// "end_turn".
func (w *Writer) Answer(text string) error {
	return w.Assistant(Message{StopReason: "end_turn", Blocks: []Block{{Text: text}}})
}

// Assistant writes a message: one line for each block, all lines in one write.
func (w *Writer) Assistant(m Message) error {
	lines := w.AssistantLines(m)
	values := make([]any, len(lines))
	for i, l := range lines {
		values[i] = l
	}
	return w.Append(values...)
}

// AssistantLines returns the lines of a message and writes nothing. It is for tests
// that tear, repeat or reorder lines. Write the lines with Append.
func (w *Writer) AssistantLines(m Message) []map[string]any {
	if m.ID == "" {
		w.messages++
		m.ID = fmt.Sprintf("msg_%04d", w.messages)
	}
	var stop any
	if m.StopReason != "" {
		stop = m.StopReason
	}
	var lines []map[string]any
	for _, b := range m.Blocks {
		l := w.Line("assistant")
		l["message"] = obj{
			"id": m.ID, "type": "message", "role": "assistant", "model": w.model(),
			"content": []any{b.content()}, "stop_reason": stop, "stop_sequence": nil,
			"usage": obj{"input_tokens": m.InputTokens, "output_tokens": m.OutputTokens},
		}
		lines = append(lines, l)
	}
	return lines
}

func (b Block) content() obj {
	switch {
	case b.ToolUse != nil:
		input := b.ToolUse.Input
		if input == nil {
			input = obj{}
		}
		return obj{"type": "tool_use", "id": b.ToolUse.ID, "name": b.ToolUse.Name, "input": input}
	case b.Thinking != "":
		return obj{"type": "thinking", "thinking": b.Thinking, "signature": ""}
	}
	return obj{"type": "text", "text": b.Text}
}

// ToolResult writes the result of a tool.
func (w *Writer) ToolResult(toolUseID, content string) error {
	return w.Append(w.user([]any{obj{"type": "tool_result", "tool_use_id": toolUseID, "content": content, "is_error": false}}))
}

// TurnDuration writes the line that ends a turn (2.1.158 and later).
func (w *Writer) TurnDuration(d time.Duration) error {
	l := w.Line("system")
	l["subtype"], l["durationMs"], l["isMeta"] = "turn_duration", d.Milliseconds(), false
	return w.Append(l)
}

// Retry writes that a request failed and that the agent will retry it (2.1.104,
// 2.1.158).
func (w *Writer) Retry(e APIError, attempt, maxRetries int, delay time.Duration) error {
	l := w.Line("system")
	l["subtype"], l["level"] = "api_error", "error"
	l["error"] = obj{
		"status": e.Status, "headers": obj{}, "requestID": nil,
		"error": obj{"type": "error", "error": obj{"type": e.Type, "message": e.Message}},
	}
	l["retryInMs"], l["retryAttempt"], l["maxRetries"] = float64(delay)/float64(time.Millisecond), attempt, maxRetries
	return w.Append(l)
}

// APIError writes the error with which the agent ends a turn.
func (w *Writer) APIError(e APIError) error {
	l := w.Line("assistant")
	l["isApiErrorMessage"] = true
	if e.Status != 0 {
		l["apiErrorStatus"] = e.Status
	}
	if e.Type != "" {
		l["apiErrorType"] = e.Type
	}
	l["error"] = e.Kind
	l["message"] = obj{
		"id": rand.Text(), "type": "message", "role": "assistant", "model": "<synthetic>",
		"stop_reason": "stop_sequence", "content": []any{obj{"type": "text", "text": e.Message}},
		"usage": obj{"input_tokens": 0, "output_tokens": 0},
	}
	return w.Append(l)
}

// Noise writes a line of the given type, about size bytes long. Give it a type that
// no reader knows. The line contains words for which a careless reader searches.
func (w *Writer) Noise(typ string, size int) error {
	return w.Append(obj{
		"shape": obj{"type": "assistant", "stop_reason": "end_turn", "text": "\"type\":\"user\" \\"},
		"pad":   strings.Repeat("x", size),
		"type":  typ,
	})
}

// Append writes each value as one line of JSON, all lines in one write.
func (w *Writer) Append(values ...any) error {
	var b []byte
	for _, v := range values {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		b = append(append(b, line...), '\n')
	}
	return w.Raw(b)
}

// Raw appends p as it is: half a line, garbage, or several lines.
func (w *Writer) Raw(p []byte) error {
	if err := os.MkdirAll(filepath.Dir(w.Path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(w.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(p)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// Line returns a new line of the given type with the members that all lines have. The
// line names the line before it.
func (w *Writer) Line(typ string) map[string]any {
	now := time.Now
	if w.Now != nil {
		now = w.Now
	}
	version := w.Version
	if version == "" {
		version = "2.1.158"
	}
	id := rand.Text()
	l := obj{
		"type": typ, "uuid": id, "sessionId": w.sessionID(), "version": version,
		"isSidechain": w.Sidechain, "timestamp": now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"parentUuid": nil,
	}
	if w.parent != "" {
		l["parentUuid"] = w.parent
	}
	w.parent = id
	return l
}

type obj = map[string]any

func (w *Writer) user(content any) obj {
	l := w.Line("user")
	l["promptId"] = w.promptID
	l["message"] = obj{"role": "user", "content": content}
	return l
}

func (w *Writer) sessionID() string {
	if w.SessionID != "" {
		return w.SessionID
	}
	base := filepath.Base(w.Path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

func (w *Writer) model() string {
	if w.Model != "" {
		return w.Model
	}
	return "claude-test"
}
