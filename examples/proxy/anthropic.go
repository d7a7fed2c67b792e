package main

import (
	"net/http"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/transcript"
)

// anthropic is POST /v1/messages.
type anthropic struct{}

func (anthropic) read(body []byte) (chat, error) {
	var r struct {
		Model    string
		System   *content
		Messages []rawMessage
		Stream   bool

		Tools, Container given
		Servers          given                  `json:"mcp_servers"`
		Stop             given                  `json:"stop_sequences"`
		OutputFormat     given                  `json:"output_format"`
		OutputConfig     struct{ Format given } `json:"output_config"`
	}
	if err := decode(body, &r); err != nil {
		return chat{}, err
	}
	if err := refuse(
		refusable{r.Tools, "tools", noTools},
		refusable{r.Servers, "mcp_servers", noTools},
		refusable{r.Container, "container", noTools},
		refusable{r.Stop, "stop_sequences", noStop},
		refusable{r.OutputFormat || r.OutputConfig.Format, "an output format", noFormat},
	); err != nil {
		return chat{}, err
	}
	messages, err := conversation(r.Messages, "system", "user", "assistant")
	if err == nil && r.System != nil {
		var system []message
		system, err = systemPrompt(r.System)
		messages = append(system, messages...)
	}
	return chat{model: r.Model, messages: messages, stream: r.Stream}, err
}

// systemPrompt returns the field system as a message.
func systemPrompt(c *content) ([]message, error) {
	if err := c.check("system"); err != nil {
		return nil, err
	}
	if c.text == "" {
		return nil, nil
	}
	return []message{{role: "system", text: c.text}}, nil
}

func (anthropic) answer(id, model, stop string, res *tuiturn.Result) any {
	m := anthropicMessage(id, model)
	m["content"] = []object{{"type": "text", "text": res.Text}}
	m["stop_reason"], m["usage"] = stop, anthropicUsage(res.Usage)
	return m
}

// anthropicMessage returns a message without content.
func anthropicMessage(id, model string) object {
	return object{
		"id": "msg_" + id, "type": "message", "role": "assistant", "model": model, "content": []object{},
		"stop_reason": nil, "stop_sequence": nil, "usage": anthropicUsage(transcript.Usage{}),
	}
}

func anthropicUsage(u transcript.Usage) object {
	return object{
		"input_tokens": u.InputTokens, "output_tokens": u.OutputTokens,
		"cache_creation_input_tokens": u.CacheCreationInputTokens, "cache_read_input_tokens": u.CacheReadInputTokens,
	}
}

func (anthropic) failure(id string, f *failure) any {
	kinds := map[int]string{
		http.StatusUnauthorized:          "authentication_error",
		http.StatusForbidden:             "permission_error",
		http.StatusNotFound:              "not_found_error",
		http.StatusRequestEntityTooLarge: "request_too_large",
		http.StatusTooManyRequests:       "rate_limit_error",
		http.StatusGatewayTimeout:        "timeout_error",
		statusOverloaded:                 "overloaded_error",
	}
	kind, ok := kinds[f.status]
	switch {
	case ok:
	case f.status < 500:
		kind = "invalid_request_error"
	default:
		kind = "api_error"
	}
	return object{"type": "error", "error": object{"type": kind, "message": f.message}, "request_id": "req_" + id}
}

func (anthropic) stream(w *events, id, model string, _ chat) stream {
	s := &anthropicStream{events: w, id: id}
	s.event("message_start", object{"message": anthropicMessage(id, model)})
	s.open()
	s.event("ping", object{})
	return s
}

type anthropicStream struct {
	*events
	id     string
	block  int
	closed bool // no block is open
}

func (s *anthropicStream) event(kind string, o object) {
	o["type"] = kind
	s.send(kind, o)
}

func (s *anthropicStream) open() {
	s.event("content_block_start", object{"index": s.block, "content_block": object{"type": "text", "text": ""}})
}

func (s *anthropicStream) close() {
	s.event("content_block_stop", object{"index": s.block})
}

func (s *anthropicStream) text(text string) {
	if s.closed {
		s.block++
		s.closed = false
		s.open()
	}
	s.event("content_block_delta", object{"index": s.block, "delta": object{"type": "text_delta", "text": text}})
}

// aside ends a block, so that the text after it gets a block of its own.
func (s *anthropicStream) aside() {
	s.close()
	s.closed = true
}

func (s *anthropicStream) end(stop string, res *tuiturn.Result) {
	if !s.closed {
		s.close()
	}
	s.event("message_delta", object{
		"delta": object{"stop_reason": stop, "stop_sequence": nil},
		"usage": anthropicUsage(res.Usage),
	})
	s.event("message_stop", object{})
}

func (s *anthropicStream) fail(f *failure) { s.send("error", anthropic{}.failure(s.id, f)) }
