package transcript_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
)

// Decode finds the type wherever it stands, and reads nothing behind it.
func TestType(t *testing.T) {
	for _, c := range []struct {
		line, typ string
		ok        bool
	}{
		{`{"type":"mode"}`, "mode", true},
		{` { "a" : 1 , "type" : "mode" } `, "mode", true},
		{`{"message":{"type":"assistant"},"type":"mode"}`, "mode", true},
		{`{"a":[{"type":"x"},"type",["type"]],"type":"mode"}`, "mode", true},
		{`{"a":"\"type\":\"x\"","type":"mode"}`, "mode", true},
		{`{"a":"\\","type":"mode"}`, "mode", true},
		{`{"a":"\\\"","type":"mode"}`, "mode", true},
		{`{"\"type":"x","type":"mode"}`, "mode", true},
		{`{"\u0074ype":"mod\u0065"}`, "mode", true},
		{`{"types":"x","Type":"y"}`, "", true},
		{`{"type":7}`, "", true},
		{`{"type":null}`, "", true},
		{`{"type":{"type":"x"}}`, "", true},
		{`{}`, "", true},
		{`{"a":-1.5e3}`, "", true},
		{`{"type":"mode","then":`, "mode", true}, // not read further
		{``, "", false},
		{`[{"type":"mode"}]`, "", false},
		{`"type"`, "", false},
		{`null`, "", false},
		{`{"a":1`, "", false},
		{`{"a":"x}`, "", false},
		{`{"a" "type":"mode"}`, "", false},
		{`{"a":,"type":"mode"}`, "", false},
		{`{"a":1}x`, "", false},
	} {
		t.Run(c.line, func(t *testing.T) {
			is := is.New(t)
			switch b := transcript.Decode([]byte(c.line)).Body.(type) {
			case *transcript.Unknown:
				is.True(c.ok)
				is.Equal(b.Type, c.typ)
			case *transcript.Malformed:
				is.True(!c.ok)
			default:
				t.Errorf("got %T", b)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	const common = `"uuid":"u","parentUuid":"p","sessionId":"s","version":"v","isSidechain":true,"isMeta":true,"timestamp":"2026-01-02T03:04:05.678Z"`
	for _, c := range []struct {
		name, line string
		body       transcript.Body
	}{
		{"prompt", `{"type":"user","promptId":"x","message":{"content":"hi"}}`, &transcript.User{Text: "hi", PromptID: "x", Typed: true}},
		{"prompt in blocks", `{"type":"user","message":{"content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]}}`, &transcript.User{Text: "ab"}},
		{"interruption", `{"type":"user","interruptedMessageId":"m","message":{"content":[]}}`, &transcript.User{Interruption: true, InterruptedMessageID: "m"}},
		{"interruption by wording", `{"type":"user","message":{"content":[{"type":"text","text":"[Request interrupted by user for tool use]"}]}}`,
			&transcript.User{Text: "[Request interrupted by user for tool use]", Interruption: true}},
		{"the wording, typed", `{"type":"user","message":{"content":"[Request interrupted by user]"}}`, &transcript.User{Text: "[Request interrupted by user]", Typed: true}},
		{"summary", `{"type":"user","isCompactSummary":true,"message":{"content":"s"}}`, &transcript.CompactSummary{Text: "s"}},
		{"tool result", `{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t","is_error":true,"content":"c"}]}}`,
			&transcript.ToolResults{Results: []transcript.ToolResult{{ToolUseID: "t", IsError: true, Content: json.RawMessage(`"c"`)}}}},
		{"assistant", `{"type":"assistant","message":{"id":"m","model":"o","stop_reason":null,"usage":{"input_tokens":1,"output_tokens":2,"cache_creation_input_tokens":3,"cache_read_input_tokens":4},"content":[{"type":"thinking","thinking":"h"},{"type":"text","text":"x"},{"type":"tool_use","id":"t","name":"n","input":{"a":1}},{"type":"later"}]}}`,
			&transcript.Assistant{MessageID: "m", Model: "o", Usage: transcript.Usage{InputTokens: 1, OutputTokens: 2, CacheCreationInputTokens: 3, CacheReadInputTokens: 4},
				Blocks: []transcript.Block{{Type: "thinking", Text: "h"}, {Type: "text", Text: "x"}, {Type: "tool_use", ID: "t", Name: "n", Input: json.RawMessage(`{"a":1}`)}, {Type: "later"}}}},
		{"API error", `{"type":"assistant","isApiErrorMessage":true,"apiErrorStatus":401,"apiErrorType":"t","error":"k","message":{"stop_reason":"refusal","content":[{"type":"text","text":"x"}]}}`,
			&transcript.APIError{Status: 401, Type: "t", Kind: "k", Message: "x", StopReason: "refusal", End: transcript.EndRefused}},
		{"API error of 2.1.104", `{"type":"assistant","isApiErrorMessage":true,"error":"unknown","message":{"content":[{"type":"text","text":"API Error: 529 {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}"}]}}`,
			&transcript.APIError{Status: 529, Type: "overloaded_error", Kind: "unknown", Message: `API Error: 529 {"type":"error","error":{"type":"overloaded_error","message":"m"}}`}},
		{"API error without the service's answer", `{"type":"assistant","isApiErrorMessage":true,"error":"unknown","message":{"content":[{"type":"text","text":"API Error: 529 {\"a\":1}"}]}}`,
			&transcript.APIError{Kind: "unknown", Message: `API Error: 529 {"a":1}`}},
		{"retry of 2.1.104", `{"type":"system","subtype":"api_error","error":{"status":429,"error":{"type":"error","error":{"type":"t","message":"m"}}},"retryInMs":1.5,"retryAttempt":2,"maxRetries":10}`,
			&transcript.APIRetry{Status: 429, Type: "t", Message: "m", Attempt: 2, Max: 10, Delay: 1500 * time.Microsecond}},
		{"retry of 2.1.158", `{"type":"system","subtype":"api_error","error":{"status":529,"message":"529 {}","formatted":"529 m"},"retryAttempt":1}`,
			&transcript.APIRetry{Status: 529, Message: "529 m", Attempt: 1}},
		{"turn duration", `{"type":"system","subtype":"turn_duration","durationMs":66}`, &transcript.TurnDuration{Duration: 66 * time.Millisecond}},
		{"other system line", `{"type":"system","subtype":"informational","content":"c"}`, &transcript.System{Subtype: "informational", Content: "c"}},
		{"Stop hooks", `{"type":"system","subtype":"stop_hook_summary"}`, &transcript.HookOutput{Kind: "stop_hook_summary", Event: "Stop", AtStop: true, Stopping: true}},
		{"hook", `{"attachment":{"type":"hook_success","hookEvent":"PreToolUse"},"type":"attachment"}`, &transcript.HookOutput{Kind: "hook_success", Event: "PreToolUse"}},
		{"a field of another type", `{"type":"system","subtype":"turn_duration","durationMs":66,"retryAttempt":"one","maxRetries":{}}`, &transcript.TurnDuration{Duration: 66 * time.Millisecond}},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			line := []byte(strings.TrimSuffix(c.line, "}") + "," + common + "}")
			want := transcript.Event{
				End: int64(len(line)) + 1, Raw: line, UUID: "u", ParentUUID: "p", SessionID: "s", Version: "v",
				Sidechain: true, Meta: true, Timestamp: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), Body: c.body,
			}
			is.Equal(transcript.Decode(line), want)
		})
	}
	for _, line := range []string{`{"type":"mode"}`, `{"type":"attachment","attachment":{"type":"skill_listing"}}`, `{}`} {
		t.Run(line, func(t *testing.T) {
			_, ok := transcript.Decode([]byte(line)).Body.(*transcript.Unknown)
			is.New(t).True(ok)
		})
	}
	for _, line := range []string{`x`, `{`, `[]`, `{"type":"user",}`, `{"type":"attachment"`} {
		t.Run(line, func(t *testing.T) {
			b, ok := transcript.Decode([]byte(line)).Body.(*transcript.Malformed)
			is.New(t).True(ok && b.Err != nil)
		})
	}
}

// The beginning of a line never decodes as a line.
func TestDecodeTorn(t *testing.T) {
	for line := range bytes.Lines(mixedTurn(t, nil)) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(line) > 2000 {
			continue
		}
		for n := range line {
			switch b := transcript.Decode(line[:n:n]).Body.(type) {
			case *transcript.Malformed, *transcript.Unknown:
			default:
				t.Fatalf("%s: got %T", line[:n], b)
			}
		}
	}
}

// FuzzDecode compares Decode with encoding/json for each line that is JSON (see
// expect). For other lines Decode must not panic.
func FuzzDecode(f *testing.F) {
	for _, line := range []string{
		`{"type":"user","message":{"content":"a\u00e9\ud83d\ude00\ud800\u0000\"\\\/\b\f\n\r\t"}}`,
		"{\"type\":\"user\",\"message\":{\"content\":\"\xff\xe2\x82\\n\xac\u20ac\"}}",
		` { "type" : "assistant" , "message" : { "content" : [ { "type" : "text" , "text" : "x" } , null , 7 , [] ] , "id" : null } , "uuid" : "u" } `,
		`{"message":{"content":{"a":{"type":"text","text":"no list"}},"usage":{"input_tokens":1.5,"output_tokens":-0,"input_tokens":2}},"type":"assistant"}`,
		`{"type":"assistant","isApiErrorMessage":true,"apiErrorStatus":4e2,"error":{"a":1},"message":[{"id":"x"}]}`,
		`{"type":"assistant","message":{"content":[{"type":"tool_use","id":"t","input":{"a": [1 , 2]},"input": 1.5 }]}}`,
		`{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t","content":null},{"type":"tool_result","is_error":"yes"}]}}`,
		`{"type":"system","subtype":"api_error","error":{"status":1e999,"formatted":"f","error":{"error":{"type":"t"}}},"retryInMs":1e999}`,
		`{"type":"system","subtype":"turn_duration","durationMs":1e3,"durationMs":2,"Subtype":"x","\u0075uid":"escaped"}`,
		`{"type":"attachment","attachment":{"type":"hook_success","hookEvent":"Stop"},"attachment":{"type":"skill_listing"}}`,
		`{"type":"user","type":"system","message":"x"}`,
		`{"type":null,"type":"user"}`,
		`[{"type":"user"}]`, `"user"`, `{"type":"user","message":{"content":"\x"}}`, `{"type":"user","message":{"id":"m",}}`,
	} {
		f.Add([]byte(line))
	}
	for line := range bytes.Lines(mixedTurn(f, nil)) {
		if len(line) < 4<<10 {
			f.Add(bytes.TrimSuffix(line, []byte("\n")))
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got := transcript.Decode(line)
		if !json.Valid(line) {
			return
		}
		want := expect(line)
		if m, ok := got.Body.(*transcript.Malformed); ok && m.Err != nil {
			m.Err = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v %+v\nwant %+v %+v", got, got.Body, want, want.Body)
		}
	})
}

// FuzzLines reads any bytes in any pieces. The lines must be those of bytes.Lines.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\n\nc"), uint8(1))
	f.Add(bytes.Repeat([]byte("long"), 1000), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, how uint8) {
		var r io.Reader = bytes.NewReader(data)
		switch how % 3 {
		case 1:
			r = iotest.OneByteReader(r)
		case 2:
			r = iotest.HalfReader(r)
		}
		got, held := transcript.ReadLines(r)
		var want []string
		for line := range bytes.Lines(data) {
			if bytes.HasSuffix(line, []byte("\n")) {
				want = append(want, string(line))
			} else if held != len(line) {
				t.Errorf("holds %d bytes, want %d", held, len(line))
			}
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// FuzzTurn adds any events. Nothing may panic, an outcome must not change after the
// turn has ended, and unknown lines must not matter.
func FuzzTurn(f *testing.F) {
	f.Add([]byte(`{"type":"user","uuid":"a","message":{"content":"p"}}
{"type":"assistant","uuid":"b","timestamp":"2026-01-02T03:04:05Z","message":{"id":"m","stop_reason":"end_turn","content":[{"type":"text","text":"x"}]}}
{"type":"assistant","uuid":"c","timestamp":"2026-01-02T03:04:04Z","message":{"id":"n","stop_reason":"tool_use","content":[{"type":"tool_use","id":"t"}]}}
{"type":"system","subtype":"turn_duration","durationMs":1}`))
	f.Add([]byte(`{"type":"assistant","timestamp":"2026-01-02T03:04:05Z","isApiErrorMessage":true,"message":{}}
{"type":"user","timestamp":"2026-01-02T03:04:05Z","message":{"content":"p"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var plain, noisy transcript.Turn
		for line := range bytes.Lines(data) {
			ended, before := plain.Done(), plain.Outcome()
			plain.Add(transcript.Decode(line))
			noisy.Add(transcript.Decode([]byte("garbage")))
			noisy.Add(transcript.Decode(line))
			noisy.Add(transcript.Decode([]byte(`{"type":"noise"}`)))
			after := plain.Outcome()
			if ended && !reflect.DeepEqual(before, after) {
				t.Fatalf("outcome changed after the end: %+v, then %+v", before, after)
			}
		}
		if a, b := plain.Outcome(), noisy.Outcome(); !reflect.DeepEqual(a, b) {
			t.Fatalf("noise changed the outcome: %+v, then %+v", a, b)
		}
	})
}
