// Package standin is a stand-in for the Messages API on loopback. Like net/http/httptest
// it is a real HTTP server. Set ANTHROPIC_BASE_URL to its address: a test then decides
// what a real agent gets as answers, and sees what the agent sends.
package standin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Handler decides the answer to one POST /v1/messages. It is called from the
// server's goroutines, several at a time if the client sends so.
type Handler func(Request) Reply

// A Server is a Messages API that listens on 127.0.0.1 only.
//
// All methods are safe for concurrent use.
type Server struct {
	// URL is the base address, "http://127.0.0.1:PORT", without a slash at the
	// end: the value for ANTHROPIC_BASE_URL.
	URL string

	http    *httptest.Server
	handler Handler

	mu       sync.Mutex
	requests []Request
}

// Start starts a server on a free port. The caller calls Close.
func Start(h Handler) *Server {
	s := &Server{handler: h}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	return s
}

// Close cuts every connection, answers under way included, and frees the port.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// Requests returns every request received so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP records the request and answers it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	req := Request{Time: time.Now(), Method: r.Method, Path: r.URL.Path, Header: r.Header.Clone(), Body: body}
	s.mu.Lock()
	req.seq = len(s.requests)
	s.requests = append(s.requests, req)
	s.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/v1/messages":
		s.handler(req).write(w, r, req)
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/v1/messages/count_tokens"):
		writeJSON(w, http.StatusOK, map[string]int{"input_tokens": max(1, len(body)/4)})
	default:
		writeError(w, http.StatusNotFound, "not_found_error", "the stand-in has no "+r.URL.Path)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // the client may be gone
}

func writeError(w http.ResponseWriter, status int, kind, message string) {
	writeJSON(w, status, map[string]any{
		"type":  "error",
		"error": map[string]string{"type": kind, "message": message},
	})
}
