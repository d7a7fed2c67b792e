package main

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/tuiturn/tuiturn"
)

// An api reads requests and writes answers in the form of OpenAI's or Anthropic's API.
type api interface {
	// read parses the body of a request.
	read(body []byte) (chat, error)

	// answer returns the body of an answer that is not streamed.
	answer(id, model, stop string, res *tuiturn.Result) any

	// failure returns the body of an error.
	failure(id string, f *failure) any

	// stream begins a streamed answer.
	stream(w *events, id, model string, c chat) stream
}

// A stream writes a streamed answer. Write errors are kept in events.
type stream interface {
	text(string)
	aside() // what was said so far was not the answer, but on the way to it
	end(stop string, res *tuiturn.Result)
	fail(*failure)
}

// events writes server-sent events.
type events struct {
	w   http.ResponseWriter
	err error // the first
}

// newEvents begins a stream, with status 200.
func newEvents(w http.ResponseWriter) *events {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would wait for the end
	w.WriteHeader(http.StatusOK)
	return &events{w: w}
}

// send writes an event, of type kind unless that is empty.
func (e *events) send(kind string, data any) { e.write(kind, encode(data)) }

func (e *events) write(kind string, data []byte) {
	if e.err != nil {
		return
	}
	var b bytes.Buffer
	if kind != "" {
		b.WriteString("event: " + kind + "\n")
	}
	b.WriteString("data: ")
	b.Write(bytes.TrimSuffix(data, []byte("\n")))
	b.WriteString("\n\n")
	if _, e.err = e.w.Write(b.Bytes()); e.err == nil {
		e.err = http.NewResponseController(e.w).Flush()
	}
}

// encode returns v as JSON, on one line.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // nothing here that JSON does not have
	}
	return b.Bytes()
}

// writeJSON sends a JSON body that is not streamed.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(encode(v))
}

// object is a JSON object.
type object map[string]any
