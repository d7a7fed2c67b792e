package transcript

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

var errNotObject = errors.New("not a JSON object")

// Decode reads one line, without its newline. It never fails: see [Unknown]
// and [Malformed]. The event's Raw is line itself, its Offset is 0.
func Decode(line []byte) Event {
	ev := Event{Raw: line, End: int64(len(line)) + 1}
	typ, ok := lineType(line)
	if !ok {
		ev.Body = &Malformed{errNotObject}
		return ev
	}
	switch typ {
	case "user", "assistant", "system":
	case "attachment":
		// Attachments are many and large, and only a hook's says anything about
		// the turn.
		raw, ok := member(line, "attachment")
		if !ok {
			ev.Body = &Malformed{errNotObject}
			return ev
		}
		if kind, ok := lineType(raw); !ok || !strings.HasPrefix(kind, "hook_") {
			ev.Body = &Unknown{typ}
			return ev
		}
	default:
		ev.Body = &Unknown{typ}
		return ev
	}

	var r record
	if err := unmarshal(line, &r); err != nil {
		ev.Body = &Malformed{err}
		return ev
	}
	ev.UUID, ev.ParentUUID, ev.SessionID, ev.Version = r.UUID, r.ParentUUID, r.SessionID, r.Version
	ev.Sidechain, ev.Meta = r.IsSidechain, r.IsMeta
	ev.Timestamp, _ = time.Parse(time.RFC3339, r.Timestamp)
	ev.Body = r.body()
	return ev
}

// unmarshal ignores a field whose type is not the expected one: a change of
// format in one place must not hide the rest of the line.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil
	}
	return err
}

// record is every field that this package reads, of every kind of line.
type record struct {
	Type, Subtype, UUID, ParentUUID, SessionID, Version, Timestamp string

	IsSidechain, IsMeta, IsCompactSummary, IsAPIErrorMessage bool

	PromptID             string
	InterruptedMessageID string
	Message              struct {
		ID         string
		Model      string
		StopReason string `json:"stop_reason"`
		Content    json.RawMessage
		Usage      Usage
	}

	APIErrorStatus int
	APIErrorType   string
	Error          json.RawMessage

	DurationMS   float64
	RetryInMS    float64
	RetryAttempt int
	MaxRetries   int
	Content      json.RawMessage
	Attachment   json.RawMessage
}

func (r *record) body() Body {
	switch r.Type {
	case "user":
		return r.user()
	case "assistant":
		return r.assistant()
	case "system":
		return r.system()
	}
	return r.hook()
}

func (r *record) user() Body {
	blocks := decodeContent(r.Message.Content)
	if r.IsCompactSummary {
		return &CompactSummary{joinText(blocks)}
	}
	var results []ToolResult
	for _, b := range blocks {
		if b.Type == "tool_result" {
			results = append(results, ToolResult{b.ToolUseID, b.IsError, b.Content})
		}
	}
	if results != nil {
		return &ToolResults{PromptID: r.PromptID, Results: results}
	}
	return &User{
		Text:                 joinText(blocks),
		PromptID:             r.PromptID,
		Typed:                isString(r.Message.Content),
		InterruptedMessageID: r.InterruptedMessageID,
	}
}

func (r *record) assistant() Body {
	m := &r.Message
	blocks := decodeContent(m.Content)
	if r.IsAPIErrorMessage {
		return &APIError{
			Status:  r.APIErrorStatus,
			Type:    r.APIErrorType,
			Kind:    text(r.Error),
			Message: joinText(blocks),

			StopReason: m.StopReason,
		}
	}
	a := &Assistant{MessageID: m.ID, Model: m.Model, StopReason: m.StopReason, Usage: m.Usage}
	for _, b := range blocks {
		block := Block{Type: b.Type, Text: b.Text, ID: b.ID, Name: b.Name, Input: b.Input}
		if b.Type == "thinking" {
			block.Text = b.Thinking
		}
		a.Blocks = append(a.Blocks, block)
	}
	return a
}

func (r *record) system() Body {
	switch r.Subtype {
	case "turn_duration":
		return &TurnDuration{milliseconds(r.DurationMS)}
	case "api_error":
		return r.retry()
	case "stop_hook_summary":
		return &HookOutput{Kind: r.Subtype, Event: "Stop"}
	}
	return &System{Subtype: r.Subtype, Content: text(r.Content)}
}

// retry reads the error as its versions write it: 2.1.104 wraps the API's
// answer ({status, error: {error: {type, message}}}), 2.1.158 has only
// {status, formatted}.
func (r *record) retry() Body {
	var e struct {
		Status    int
		Formatted string
		Error     struct {
			Error struct{ Type, Message string }
		}
	}
	// A broken error object has failed the whole line already.
	_ = unmarshal(r.Error, &e)
	b := &APIRetry{
		Status:  e.Status,
		Type:    e.Error.Error.Type,
		Message: e.Error.Error.Message,
		Attempt: r.RetryAttempt,
		Max:     r.MaxRetries,
		Delay:   milliseconds(r.RetryInMS),
	}
	if b.Message == "" {
		b.Message = e.Formatted
	}
	return b
}

func (r *record) hook() Body {
	var a struct{ Type, HookEvent string }
	_ = unmarshal(r.Attachment, &a)
	return &HookOutput{Kind: a.Type, Event: a.HookEvent}
}

// contentBlock is every kind of block of a user's or assistant's message.
type contentBlock struct {
	Type, Text, Thinking, ID, Name string

	Input     json.RawMessage
	ToolUseID string `json:"tool_use_id"`
	IsError   bool   `json:"is_error"`
	Content   json.RawMessage
}

// decodeContent reads content that is a string or a list of blocks.
func decodeContent(raw json.RawMessage) []contentBlock {
	if isString(raw) {
		return []contentBlock{{Type: "text", Text: text(raw)}}
	}
	var blocks []contentBlock
	_ = unmarshal(raw, &blocks)
	return blocks
}

func joinText(blocks []contentBlock) string {
	var b strings.Builder
	for _, block := range blocks {
		if block.Type == "text" {
			b.WriteString(block.Text)
		}
	}
	return b.String()
}

func isString(raw json.RawMessage) bool { return bytes.HasPrefix(raw, []byte{'"'}) }

// text is the string that raw holds, "" if it holds anything else.
func text(raw json.RawMessage) string {
	var s string
	if isString(raw) {
		_ = json.Unmarshal(raw, &s)
	}
	return s
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
