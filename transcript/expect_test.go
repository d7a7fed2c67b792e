package transcript_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn/transcript"
)

// expect is a simple Decode for lines of valid JSON. It uses maps of encoding/json, in
// which keys are case-sensitive and the last of equal keys counts.
func expect(line []byte) transcript.Event {
	ev := transcript.Event{Raw: line, End: int64(len(line)) + 1}
	o := object(line)
	if o == nil {
		ev.Body = &transcript.Malformed{}
		return ev
	}
	typ := firstType(line)
	switch typ {
	case "user":
		ev.Body = expectUser(o)
	case "assistant":
		ev.Body = expectAssistant(o)
	case "system":
		ev.Body = expectSystem(o)
	case "attachment":
		a := object(o["attachment"])
		if kind := firstType(o["attachment"]); a != nil && strings.HasPrefix(kind, "hook_") {
			h := &transcript.HookOutput{Kind: kind, Event: value[string](a["hookEvent"])}
			h.AtStop = h.Event == "Stop"
			if h.Prevents = kind == "hook_stopped_continuation"; h.Prevents {
				h.Reason = value[string](a["message"])
			}
			ev.Body = h
		}
	}
	if ev.Body == nil {
		ev.Body = &transcript.Unknown{Type: typ}
		if typ != "attachment" {
			return ev
		}
	}
	ev.UUID, ev.ParentUUID = value[string](o["uuid"]), value[string](o["parentUuid"])
	ev.SessionID, ev.Version = value[string](o["sessionId"]), value[string](o["version"])
	ev.Sidechain, ev.Meta = value[bool](o["isSidechain"]), value[bool](o["isMeta"])
	ev.Timestamp, _ = time.Parse(time.RFC3339, value[string](o["timestamp"]))
	return ev
}

func expectUser(o map[string]json.RawMessage) transcript.Body {
	content := object(o["message"])["content"]
	if value[bool](o["isCompactSummary"]) {
		return &transcript.CompactSummary{Text: joined(content)}
	}
	var results []transcript.ToolResult
	for _, raw := range value[[]json.RawMessage](content) {
		if b := object(raw); value[string](b["type"]) == "tool_result" {
			results = append(results, transcript.ToolResult{ToolUseID: value[string](b["tool_use_id"]), IsError: value[bool](b["is_error"]), Content: b["content"]})
		}
	}
	if results != nil {
		return &transcript.ToolResults{PromptID: value[string](o["promptId"]), Results: results}
	}
	text, typed := joined(content), len(content) > 0 && content[0] == '"'
	id := value[string](o["interruptedMessageId"])
	return &transcript.User{
		Text:                 text,
		PromptID:             value[string](o["promptId"]),
		Typed:                typed,
		Interruption:         id != "" || !typed && (text == "[Request interrupted by user]" || text == "[Request interrupted by user for tool use]"),
		InterruptedMessageID: id,
	}
}

func expectAssistant(o map[string]json.RawMessage) transcript.Body {
	m := object(o["message"])
	if value[bool](o["isApiErrorMessage"]) {
		e := &transcript.APIError{
			Status:     value[int](o["apiErrorStatus"]),
			Type:       value[string](o["apiErrorType"]),
			Kind:       value[string](o["error"]),
			Message:    joined(m["content"]),
			StopReason: value[string](m["stop_reason"]),
		}
		switch {
		case e.StopReason == "refusal":
			e.End = transcript.EndRefused
		case e.StopReason == "tool_use":
			e.End = transcript.EndTools
		case e.Kind == "max_output_tokens":
			e.End = transcript.EndCut
		}
		return e
	}
	u := object(m["usage"])
	return &transcript.Assistant{
		MessageID:  value[string](m["id"]),
		Model:      value[string](m["model"]),
		StopReason: value[string](m["stop_reason"]),
		End:        expectEnd(value[string](m["stop_reason"])),
		Usage: transcript.Usage{
			InputTokens:              value[int64](u["input_tokens"]),
			OutputTokens:             value[int64](u["output_tokens"]),
			CacheCreationInputTokens: value[int64](u["cache_creation_input_tokens"]),
			CacheReadInputTokens:     value[int64](u["cache_read_input_tokens"]),
		},
		Blocks: blocks(m["content"]),
	}
}

func expectEnd(stop string) transcript.End {
	end, known := map[string]transcript.End{
		"": transcript.EndUnknown, "tool_use": transcript.EndTools, "max_tokens": transcript.EndCut,
		"model_context_window_exceeded": transcript.EndFull, "refusal": transcript.EndRefused,
	}[stop]
	if !known {
		return transcript.EndFinal
	}
	return end
}

func expectSystem(o map[string]json.RawMessage) transcript.Body {
	milliseconds := func(key string) time.Duration { return time.Duration(value[float64](o[key]) * 1e6) }
	switch subtype := value[string](o["subtype"]); subtype {
	case "turn_duration":
		return &transcript.TurnDuration{Duration: milliseconds("durationMs")}
	case "stop_hook_summary":
		return &transcript.HookOutput{Kind: subtype, Event: "Stop", AtStop: true, Stopping: true}
	case "api_error":
		e := object(o["error"])
		inner := object(object(e["error"])["error"])
		b := &transcript.APIRetry{
			Status:  value[int](e["status"]),
			Type:    value[string](inner["type"]),
			Message: value[string](inner["message"]),
			Attempt: value[int](o["retryAttempt"]),
			Max:     value[int](o["maxRetries"]),
			Delay:   milliseconds("retryInMs"),
		}
		if b.Message == "" {
			b.Message = value[string](e["formatted"])
		}
		return b
	default:
		if value[bool](o["preventContinuation"]) {
			h := &transcript.HookOutput{Kind: subtype, Event: "UserPromptSubmit", Prevents: true}
			ending := object(object(o["promptSubmitEnding"])["ending"])
			if kind, ok := ending["kind"]; ok {
				h.Kind = value[string](kind)
			}
			h.Reason = value[string](ending["reason"])
			h.Refuses = h.Kind == "blocked_by_hook"
			return h
		}
		return &transcript.System{Subtype: subtype, Content: value[string](o["content"])}
	}
}

func blocks(content json.RawMessage) (blocks []transcript.Block) {
	if len(content) > 0 && content[0] == '"' {
		return []transcript.Block{{Type: "text", Text: value[string](content)}}
	}
	for _, raw := range value[[]json.RawMessage](content) {
		b := object(raw)
		block := transcript.Block{
			Type: value[string](b["type"]), Text: value[string](b["text"]),
			ID: value[string](b["id"]), Name: value[string](b["name"]), Input: b["input"],
		}
		if block.Type == "thinking" {
			block.Text = value[string](b["thinking"])
		}
		blocks = append(blocks, block)
	}
	return blocks
}

func joined(content json.RawMessage) (text string) {
	for _, b := range blocks(content) {
		if b.Type == "text" {
			text += b.Text
		}
	}
	return text
}

func object(raw json.RawMessage) map[string]json.RawMessage {
	return value[map[string]json.RawMessage](raw)
}

// value decodes raw. It returns zero if raw has another type or is missing.
func value[T any](raw json.RawMessage) (v T) {
	if json.Unmarshal(raw, &v) != nil {
		var zero T
		return zero
	}
	return v
}

// firstType returns the first "type" of the object in line, token by token.
func firstType(line []byte) string {
	d := json.NewDecoder(bytes.NewReader(line))
	_, _ = d.Token()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return ""
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return ""
		}
		if key == "type" {
			return value[string](raw)
		}
	}
	return ""
}
