package transcript_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/transcript/transcripttest"
)

func TestLineType(t *testing.T) {
	for _, c := range []struct {
		line, typ string
		ok        bool
	}{
		{`{"type":"user"}`, "user", true},
		{` { "a" : 1 , "type" : "user" } `, "user", true},
		{`{"message":{"type":"assistant"},"type":"user"}`, "user", true},
		{`{"a":[{"type":"x"},"type",["type"]],"type":"user"}`, "user", true},
		{`{"a":"\"type\":\"x\"","type":"user"}`, "user", true},
		{`{"a":"\\","type":"user"}`, "user", true},
		{`{"a":"\\\"","type":"user"}`, "user", true},
		{`{"\"type":"x","type":"user"}`, "user", true},
		{`{"\u0074ype":"us\u0065r"}`, "user", true},
		{`{"types":"x","Type":"y"}`, "", true},
		{`{"type":7}`, "", true},
		{`{"type":null}`, "", true},
		{`{"type":{"type":"x"}}`, "", true},
		{`{}`, "", true},
		{`{"a":-1.5e3}`, "", true},
		{`{"type":"user","then":`, "user", true}, // not read further
		{``, "", false},
		{`[{"type":"user"}]`, "", false},
		{`"type"`, "", false},
		{`null`, "", false},
		{`{"a":1`, "", false},
		{`{"a":"x}`, "", false},
		{`{"a" "type":"user"}`, "", false},
		{`{"a":,"type":"user"}`, "", false},
		{`{"a":1}x`, "", false},
	} {
		t.Run(c.line, func(t *testing.T) {
			is := is.New(t)
			typ, ok := transcript.LineType([]byte(c.line))
			is.Equal(typ, c.typ)
			is.Equal(ok, c.ok)
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
		{"interruption", `{"type":"user","interruptedMessageId":"m","message":{"content":[]}}`, &transcript.User{InterruptedMessageID: "m"}},
		{"summary", `{"type":"user","isCompactSummary":true,"message":{"content":"s"}}`, &transcript.CompactSummary{Text: "s"}},
		{"tool result", `{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t","is_error":true,"content":"c"}]}}`,
			&transcript.ToolResults{Results: []transcript.ToolResult{{ToolUseID: "t", IsError: true, Content: json.RawMessage(`"c"`)}}}},
		{"assistant", `{"type":"assistant","message":{"id":"m","model":"o","stop_reason":null,"usage":{"input_tokens":1,"output_tokens":2,"cache_creation_input_tokens":3,"cache_read_input_tokens":4},"content":[{"type":"thinking","thinking":"h"},{"type":"text","text":"x"},{"type":"tool_use","id":"t","name":"n","input":{"a":1}},{"type":"later"}]}}`,
			&transcript.Assistant{MessageID: "m", Model: "o", Usage: transcript.Usage{InputTokens: 1, OutputTokens: 2, CacheCreationInputTokens: 3, CacheReadInputTokens: 4},
				Blocks: []transcript.Block{{Type: "thinking", Text: "h"}, {Type: "text", Text: "x"}, {Type: "tool_use", ID: "t", Name: "n", Input: json.RawMessage(`{"a":1}`)}, {Type: "later"}}}},
		{"API error", `{"type":"assistant","isApiErrorMessage":true,"apiErrorStatus":401,"apiErrorType":"t","error":"k","message":{"stop_reason":"refusal","content":[{"type":"text","text":"x"}]}}`,
			&transcript.APIError{Status: 401, Type: "t", Kind: "k", Message: "x", StopReason: "refusal"}},
		{"retry of 2.1.104", `{"type":"system","subtype":"api_error","error":{"status":429,"error":{"type":"error","error":{"type":"t","message":"m"}}},"retryInMs":1.5,"retryAttempt":2,"maxRetries":10}`,
			&transcript.APIRetry{Status: 429, Type: "t", Message: "m", Attempt: 2, Max: 10, Delay: 1500 * time.Microsecond}},
		{"retry of 2.1.158", `{"type":"system","subtype":"api_error","error":{"status":529,"message":"529 {}","formatted":"529 m"},"retryAttempt":1}`,
			&transcript.APIRetry{Status: 529, Message: "529 m", Attempt: 1}},
		{"turn duration", `{"type":"system","subtype":"turn_duration","durationMs":66}`, &transcript.TurnDuration{Duration: 66 * time.Millisecond}},
		{"other system line", `{"type":"system","subtype":"informational","content":"c"}`, &transcript.System{Subtype: "informational", Content: "c"}},
		{"Stop hooks", `{"type":"system","subtype":"stop_hook_summary"}`, &transcript.HookOutput{Kind: "stop_hook_summary", Event: "Stop"}},
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

// FuzzLineType compares the scan with a full decode.
func FuzzLineType(f *testing.F) {
	for _, s := range []string{`{"type":"user"}`, `{"a":{"type":"x"},"type":"user"}`, `{"a":"\\\"","\u0074ype":"u"}`, `{"a":[1,2,{}],"b":null}`, `[]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		typ, ok := transcript.LineType(line)
		// The first "type" counts, as token by token.
		want, valid := firstType(line)
		if valid && (!ok || typ != want) {
			t.Errorf("got %q, %v; want %q", typ, ok, want)
		}
		transcript.Decode(line) // must not panic
	})
}

func firstType(line []byte) (string, bool) {
	if !json.Valid(line) || !bytes.HasPrefix(bytes.TrimLeft(line, " \t\r\n"), []byte("{")) {
		return "", false
	}
	d := json.NewDecoder(bytes.NewReader(line))
	_, _ = d.Token()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return "", false
		}
		if key == "type" {
			var s string
			if value[0] != '"' || json.Unmarshal(value, &s) != nil {
				return "", true
			}
			// Invalid UTF-8 is replaced by encoding/json and kept by the scan;
			// no type that matters has any.
			return s, strings.ToValidUTF8(string(value), "") == string(value)
		}
	}
	return "", true
}

// FuzzLines cuts any bytes anywhere: the lines must be those of bytes.Lines.
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

// FuzzTurn: whatever the events, nothing panics, an outcome does not change
// once the turn has ended, and unknown lines in between make no difference.
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

func BenchmarkSkip(b *testing.B) {
	pad := strings.Repeat(`a line of \"text\", as requests have it\n`, 90<<10/40)
	for _, c := range []struct{ name, line string }{
		{"type first", `{"type":"api-request-blob","message":"` + pad + `"}`},
		{"type last", `{"message":{"content":"` + pad + `"},"type":"api-request-blob"}`},
		{"type last, nothing escaped", `{"message":"` + strings.Repeat("a", 90<<10) + `","type":"api-request-blob"}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			line := []byte(c.line)
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				transcript.Decode(line)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	w := transcripttest.Writer{Path: filepath.Join(b.TempDir(), session+".jsonl")}
	lines := w.AssistantLines(transcripttest.Message{StopReason: "end_turn", Blocks: []transcripttest.Block{{Text: strings.Repeat("an answer\n", 1000)}}})
	line, err := json.Marshal(lines[0])
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		transcript.Decode(line)
	}
}
