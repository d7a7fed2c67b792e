package standin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/tuiturn/tuiturn/internal/apikind"
)

// A Reply is the answer to one request. The zero value is an empty answer that
// ends the turn.
type Reply struct {
	// Thinking, if not empty, is a thinking block before Text.
	Thinking string

	// Text is the text block of the answer, before Tools, and More are further
	// text blocks behind it.
	Text string
	More []string

	// NoBlocks makes the answer a message without any block, unless it has Tools.
	NoBlocks bool

	// Tools are the tool calls of the answer.
	Tools []ToolUse

	// StopReason, when empty, is "tool_use" if there are Tools, else "end_turn".
	StopReason string

	// Usage is the token usage that the answer reports.
	Usage Usage

	// Status other than 0 and 200 makes the answer an API error, with
	// ErrorType (the usual one for the status when empty) and Message.
	Status    int
	ErrorType string
	Message   string

	// Header is added to the response's header, for instance Retry-After.
	Header http.Header

	// Delay is the time before the first byte, PieceDelay the time before each piece of
	// a streamed answer. Both end early when the client disconnects.
	Delay, PieceDelay time.Duration

	// Piece is the size in characters of one streamed delta of Text; zero
	// means 400.
	Piece int

	// Drop cuts the connection instead of finishing the answer: after the
	// Delay, or, when DropAfter is more than zero and the client streams, once
	// that many pieces are out.
	Drop      bool
	DropAfter int
}

// TitleReply answers a request that IsTitle.
var TitleReply = Reply{Text: `{"title":"Stand-in"}`}

// A ToolUse is one call of a tool. Input is anything that encodes to a JSON
// object; nil means {}.
type ToolUse struct {
	ID    string // unique within the server when empty
	Name  string
	Input any
}

// Usage is in tokens.
type Usage struct {
	InputTokens              int `json:"input_tokens"`
	OutputTokens             int `json:"output_tokens"`
	CacheReadInputTokens     int `json:"cache_read_input_tokens"`
	CacheCreationInputTokens int `json:"cache_creation_input_tokens"`
}

func (p Reply) write(w http.ResponseWriter, r *http.Request, req Request) {
	if !sleep(r, p.Delay) {
		return
	}
	for k, v := range p.Header {
		w.Header()[k] = v
	}
	switch {
	case p.Drop && p.DropAfter == 0:
		panic(http.ErrAbortHandler)
	case p.Status != 0 && p.Status != http.StatusOK:
		writeError(w, p.Status, p.errorType(), p.Message)
	case req.Stream():
		p.stream(w, r, req)
	default:
		m := p.message(req)
		m["content"] = p.blocks(req)
		m["stop_reason"] = p.stopReason()
		writeJSON(w, http.StatusOK, m)
	}
}

func (p Reply) message(req Request) map[string]any {
	return map[string]any{
		"id": fmt.Sprintf("msg_standin_%d", req.seq), "type": "message", "role": "assistant",
		"model": req.Model(), "content": []any{}, "stop_reason": nil, "stop_sequence": nil, "usage": p.Usage,
	}
}

func (p Reply) blocks(req Request) []any {
	blocks := []any{}
	if p.Thinking != "" {
		blocks = append(blocks, map[string]any{"type": "thinking", "thinking": p.Thinking, "signature": signature})
	}
	for _, text := range p.texts() {
		blocks = append(blocks, map[string]any{"type": "text", "text": text})
	}
	for i, t := range p.Tools {
		blocks = append(blocks, map[string]any{"type": "tool_use", "id": t.id(req, i), "name": t.Name, "input": t.input()})
	}
	return blocks
}

func (p Reply) stream(w http.ResponseWriter, r *http.Request, req Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := http.NewResponseController(w)
	emit := func(event string, v map[string]any) {
		v["type"] = event
		b, _ := json.Marshal(v)
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, b)
		flusher.Flush()
	}
	emit("message_start", map[string]any{"message": p.message(req)})
	index, sent := 0, 0
	block := func(start map[string]any, deltas []map[string]any) {
		emit("content_block_start", map[string]any{"index": index, "content_block": start})
		for _, d := range deltas {
			if p.Drop && sent >= p.DropAfter {
				panic(http.ErrAbortHandler)
			}
			if !sleep(r, p.PieceDelay) {
				panic(http.ErrAbortHandler)
			}
			emit("content_block_delta", map[string]any{"index": index, "delta": d})
			sent++
		}
		emit("content_block_stop", map[string]any{"index": index})
		index++
	}
	if p.Thinking != "" {
		block(map[string]any{"type": "thinking", "thinking": "", "signature": ""}, []map[string]any{
			{"type": "thinking_delta", "thinking": p.Thinking},
			{"type": "signature_delta", "signature": signature},
		})
	}
	for _, text := range p.texts() {
		var deltas []map[string]any
		for _, piece := range pieces(text, p.Piece) {
			deltas = append(deltas, map[string]any{"type": "text_delta", "text": piece})
		}
		block(map[string]any{"type": "text", "text": ""}, deltas)
	}
	for i, t := range p.Tools {
		input, _ := json.Marshal(t.input())
		block(map[string]any{"type": "tool_use", "id": t.id(req, i), "name": t.Name, "input": map[string]any{}},
			[]map[string]any{{"type": "input_json_delta", "partial_json": string(input)}})
	}
	emit("message_delta", map[string]any{
		"delta": map[string]any{"stop_reason": p.stopReason(), "stop_sequence": nil},
		"usage": p.Usage,
	})
	emit("message_stop", map[string]any{})
}

// signature ends a thinking block.
const signature = "c3RhbmQtaW4="

// texts returns the text blocks. An answer without a tool call has at least one, except
// with NoBlocks.
func (p Reply) texts() []string {
	if p.Text == "" && len(p.More) == 0 && (p.NoBlocks || len(p.Tools) > 0) {
		return nil
	}
	return append([]string{p.Text}, p.More...)
}

// pieces cuts text into runs of at most size characters.
func pieces(text string, size int) []string {
	if size <= 0 {
		size = 400
	}
	var out []string
	for r := []rune(text); len(r) > 0; {
		n := min(size, len(r))
		out = append(out, string(r[:n]))
		r = r[n:]
	}
	return out
}

func (p Reply) stopReason() string {
	switch {
	case p.StopReason != "":
		return p.StopReason
	case len(p.Tools) > 0:
		return "tool_use"
	}
	return "end_turn"
}

func (p Reply) errorType() string {
	if p.ErrorType != "" {
		return p.ErrorType
	}
	return apikind.Of(p.Status)
}

// id is unique within the server: a client that gets one id twice in a
// conversation takes the second call for a repeat of the first.
func (t ToolUse) id(req Request, i int) string {
	if t.ID != "" {
		return t.ID
	}
	return fmt.Sprintf("toolu_standin_%d_%d", req.seq, i)
}

func (t ToolUse) input() any {
	if t.Input == nil {
		return map[string]any{}
	}
	return t.Input
}

// sleep waits for d. It reports false if the client disconnects first.
func sleep(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
