package main

import (
	"net/http"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/transcript"
)

// openai is POST /v1/chat/completions.
type openai struct{}

func (openai) read(body []byte) (chat, error) {
	var r struct {
		Model         string
		Messages      []rawMessage
		Stream        bool
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`

		N              *int
		ResponseFormat struct{ Type string } `json:"response_format"`
		Modalities     []string

		Tools, Functions, Stop, Logprobs, Audio given
		WebSearch                               given `json:"web_search_options"`
	}
	if err := decode(body, &r); err != nil {
		return chat{}, err
	}
	format := r.ResponseFormat.Type
	if err := refuse(
		refusable{r.Tools, "tools", noTools},
		refusable{r.Functions, "functions", noTools},
		refusable{r.WebSearch, "web_search_options", noTools},
		refusable{r.Stop, "stop", noStop},
		refusable{r.Logprobs, "logprobs", "the agent does not tell them"},
		refusable{r.N != nil && *r.N != 1, "n other than 1", noMore},
		refusable{r.Audio, "audio", noMore},
		refusable{given(len(r.Modalities) > 1 || len(r.Modalities) == 1 && r.Modalities[0] != "text"), "modalities other than text", noMore},
		refusable{given(format != "" && format != "text"), "response_format other than text", noFormat},
	); err != nil {
		return chat{}, err
	}
	messages, err := conversation(r.Messages, "system", "developer", "user", "assistant")
	return chat{model: r.Model, messages: messages, stream: r.Stream, usage: r.StreamOptions.IncludeUsage}, err
}

// finish returns a stop reason in OpenAI's terms.
var finish = map[string]string{"end_turn": "stop", "max_tokens": "length", "refusal": "content_filter"}

func (openai) answer(id, model, stop string, res *tuiturn.Result) any {
	return object{
		"id": "chatcmpl-" + id, "object": "chat.completion", "created": time.Now().Unix(), "model": model,
		"choices": []object{{
			"index": 0, "finish_reason": finish[stop], "logprobs": nil,
			"message": object{"role": "assistant", "content": res.Text, "refusal": nil},
		}},
		"usage": openaiUsage(res.Usage),
	}
}

func openaiUsage(u transcript.Usage) object {
	prompt := u.InputTokens + u.CacheCreationInputTokens + u.CacheReadInputTokens
	return object{
		"prompt_tokens": prompt, "completion_tokens": u.OutputTokens, "total_tokens": prompt + u.OutputTokens,
		"prompt_tokens_details": object{"cached_tokens": u.CacheReadInputTokens},
	}
}

func (openai) failure(_ string, f *failure) any {
	kind, code := "server_error", any(nil)
	switch f.status {
	case http.StatusUnauthorized:
		kind, code = "invalid_request_error", "invalid_api_key"
	case http.StatusTooManyRequests:
		kind, code = "rate_limit_error", "rate_limit_exceeded"
	case statusOverloaded:
		code = "overloaded"
	default:
		if f.status < 500 {
			kind = "invalid_request_error"
		}
	}
	return object{"error": object{"message": f.message, "type": kind, "param": nil, "code": code}}
}

func (openai) stream(w *events, id, model string, c chat) stream {
	s := &openaiStream{events: w, usage: c.usage, frame: object{
		"id": "chatcmpl-" + id, "object": "chat.completion.chunk", "created": time.Now().Unix(), "model": model,
	}}
	s.chunk(object{"role": "assistant", "content": "", "refusal": nil}, nil)
	return s
}

type openaiStream struct {
	*events
	usage bool
	frame object // what all chunks have in common
}

// chunk sends one chunk. A finish that is not nil makes it the last.
func (s *openaiStream) chunk(delta object, finish any) {
	s.frame["choices"] = []object{{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}}
	if s.usage {
		s.frame["usage"] = nil
	}
	s.send("", s.frame)
}

func (s *openaiStream) text(text string) { s.chunk(object{"content": text}, nil) }

func (s *openaiStream) aside() { s.text("\n\n") }

func (s *openaiStream) end(stop string, res *tuiturn.Result) {
	s.chunk(object{}, finish[stop])
	if s.usage {
		s.frame["choices"], s.frame["usage"] = []object{}, openaiUsage(res.Usage)
		s.send("", s.frame)
	}
	s.write("", []byte("[DONE]"))
}

func (s *openaiStream) fail(f *failure) { s.send("", openai{}.failure("", f)) }
