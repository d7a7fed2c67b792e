package standin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Request is one HTTP request as it came in. Its methods read Body as a
// Messages request; on a body that is none they return zero values.
type Request struct {
	// Time is when the body had been read.
	Time time.Time

	// Path is the URL's path, without the query.
	Method, Path string

	// Header and Body are shared between copies of the Request: do not change
	// them.
	Header http.Header
	Body   []byte

	seq int // position among the server's requests, from 0
}

// Token returns the credential that the client sent: the part after Bearer in
// Authorization, else X-Api-Key, else "".
func (r Request) Token() string {
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return t
	}
	return r.Header.Get("X-Api-Key")
}

// body is the part of a Messages request that the stand-in understands.
type body struct {
	Model    string            `json:"model"`
	Stream   bool              `json:"stream"`
	Tools    []json.RawMessage `json:"tools"`
	Messages []message         `json:"messages"`

	OutputConfig struct {
		Format struct {
			Schema struct {
				Properties map[string]json.RawMessage `json:"properties"`
			} `json:"schema"`
		} `json:"format"`
	} `json:"output_config"`
}

type message struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// content is a list of blocks; a bare string is one text block.
type content []block

type block struct {
	Type      string  `json:"type"`
	Text      string  `json:"text"`
	ToolUseID string  `json:"tool_use_id"`
	IsError   bool    `json:"is_error"`
	Content   content `json:"content"`
}

func (b block) isToolResult() bool { return b.Type == "tool_result" }

func (c *content) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*c = content{{Type: "text", Text: s}}
		return nil
	}
	return json.Unmarshal(b, (*[]block)(c))
}

// parse is lenient: a missing field, or a field of another type, is zero.
func (r Request) parse() (b body) {
	json.Unmarshal(r.Body, &b)
	return b
}

// Model returns the requested model.
func (r Request) Model() string { return r.parse().Model }

// Stream reports whether the client wants server-sent events.
func (r Request) Stream() bool { return r.parse().Stream }

// HasTools reports whether any tool is offered.
func (r Request) HasTools() bool { return len(r.parse().Tools) > 0 }

// Prompt returns the text that the person typed last, byte for byte as it was sent, or ""
// if there is none.
//
// The client adds text of its own around it, depending on the version and on the turn. In
// 2.1.104, 2.1.158 and 2.1.330 the typed text is the last text block of its user message.
// Reminders and file contents stand before it, in blocks or messages of their own. What
// 2.1.330 adds after it are messages with the role "system". A user message with a tool's
// result comes from the client. The blocks' text is not used to tell them apart, because
// a person can type "<system-reminder>" too.
func (r Request) Prompt() string {
	for _, m := range slices.Backward(r.parse().Messages) {
		if m.Role != "user" || slices.ContainsFunc(m.Content, block.isToolResult) {
			continue
		}
		for _, b := range slices.Backward(m.Content) {
			if b.Type == "text" {
				return b.Text
			}
		}
	}
	return ""
}

// IsTitle reports whether the client asks for a title for its session, as
// 2.1.104 and 2.1.158 do beside the first turn: it wants JSON with a title and
// nothing else. A Handler answers it with TitleReply and keeps its script for
// the turns.
func (r Request) IsTitle() bool {
	p := r.parse().OutputConfig.Format.Schema.Properties
	_, ok := p["title"]
	return ok && len(p) == 1
}

// A ToolResult is the client's report of one tool call.
type ToolResult struct {
	// ID is the call's id, as in ToolUse.
	ID string

	// Text is the result's text blocks, one after the other.
	Text string

	// IsError tells that the tool failed or the person did not allow it.
	IsError bool
}

// ToolResults returns the tool results in messages after the last answer. Results of
// earlier rounds, which a request repeats, are left out.
func (r Request) ToolResults() []ToolResult {
	var out []ToolResult
	for _, m := range r.parse().Messages {
		if m.Role == "assistant" {
			out = nil
		}
		for _, b := range m.Content {
			if !b.isToolResult() {
				continue
			}
			t := ToolResult{ID: b.ToolUseID, IsError: b.IsError}
			for _, c := range b.Content {
				t.Text += c.Text
			}
			out = append(out, t)
		}
	}
	return out
}
