package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tuiturn/tuiturn"
)

// A server answers requests with turns.
type server struct {
	runner  *tuiturn.Runner
	request tuiturn.Request // what all turns have in common
	timeout time.Duration   // of a turn, and of its time in the queue
	maxBody int64
	guard   guard

	writeTimeout time.Duration // of a piece of an answer

	metrics *metrics
	log     *slog.Logger

	closing atomic.Bool // no more requests are taken
}

// handler is the server's HTTP interface.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(path, method string, h func(http.ResponseWriter, *http.Request, string) error) {
		mux.Handle(path, s.handle(path, method, h))
	}
	handle("/v1/chat/completions", http.MethodPost, s.chat(openai{}))
	handle("/v1/messages", http.MethodPost, s.chat(anthropic{}))
	handle("/v1/models", http.MethodGet, s.models)
	handle("/healthz", http.MethodGet, s.health)
	handle("/metrics", http.MethodGet, func(w http.ResponseWriter, r *http.Request, _ string) error {
		s.metrics.handler.ServeHTTP(w, r)
		return nil
	})
	handle("/", "", func(_ http.ResponseWriter, r *http.Request, _ string) error {
		return &failure{status: http.StatusNotFound, message: "unknown path " + r.URL.Path}
	})
	return mux
}

// handle does what every request needs: it checks whether the request is allowed,
// gives it an id, sends an error in the form of its API, and logs and counts it.
func (s *server) handle(path, method string, h func(w http.ResponseWriter, r *http.Request, id string) error) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		began, id := time.Now(), rand.Text()
		w := &response{ResponseWriter: rw, timeout: s.writeTimeout}
		w.Header().Set("Request-Id", "req_"+id) // Anthropic's
		w.Header().Set("X-Request-Id", "req_"+id)
		err := s.guard.check(r, path == "/healthz")
		if err == nil && method != "" && r.Method != method && !(method == http.MethodGet && r.Method == http.MethodHead) {
			w.Header().Set("Allow", method)
			err = &failure{status: http.StatusMethodNotAllowed, message: fmt.Sprintf("%s takes %s, not %s", path, method, r.Method)}
		}
		if err == nil {
			err = h(w, r, id)
		}
		f := failed(err)
		if f != nil && w.status == 0 {
			w.fail(apiOf(r), id, f)
		}
		status := w.status
		if f != nil && f.status == statusGone {
			status = statusGone
		}
		s.metrics.requests.WithLabelValues(path, strconv.Itoa(status)).Inc()
		s.logRequest(r, id, status, time.Since(began), f, err)
	})
}

func (s *server) logRequest(r *http.Request, id string, status int, took time.Duration, f *failure, err error) {
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.String("id", "req_"+id), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", status), slog.Duration("took", took),
	}
	if f != nil {
		level, attrs = slog.LevelWarn, append(attrs, slog.String("error", f.message))
	}
	if e, ok := errors.AsType[*tuiturn.Error](err); ok {
		attrs = append(attrs, slog.String("session", e.SessionID))
		if e.Screen != "" && f != nil && f.status != statusGone {
			attrs = append(attrs, slog.String("screen", e.Screen))
		}
	}
	s.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// apiOf returns the API in whose form a request expects an error.
func apiOf(r *http.Request) api {
	if strings.HasPrefix(r.URL.Path, "/v1/messages") || r.Header.Get("Anthropic-Version") != "" {
		return anthropic{}
	}
	return openai{}
}

// chat answers with a turn.
func (s *server) chat(a api) func(http.ResponseWriter, *http.Request, string) error {
	return func(w http.ResponseWriter, r *http.Request, id string) error {
		body, err := s.body(w, r)
		if err != nil {
			return err
		}
		c, err := a.read(body)
		if err != nil {
			return err
		}
		req := s.request
		req.SystemPrompt, req.Prompt = render(c.messages)
		if isClaude.MatchString(c.model) {
			req.Model = c.model
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.timeout)
		defer cancel()
		if c.stream {
			return s.stream(ctx, w, a, c, req, id)
		}
		res, err := s.runner.Turn(ctx, req)
		s.metrics.turn(res)
		if failed(err) != nil {
			return err
		}
		model := res.Model
		if model == "" {
			model = named(req.Model)
		}
		writeJSON(w, http.StatusOK, a.answer(id, model, stopReason(err), res))
		return nil
	}
}

// stream answers with a turn while the answer arrives. Nothing is sent before the first
// text, so that a turn that fails earlier gets an HTTP status of its own.
func (s *server) stream(ctx context.Context, w http.ResponseWriter, a api, c chat, req tuiturn.Request, id string) error {
	began := time.Now()
	var ev *events
	var out stream
	begin := func() {
		if out == nil {
			s.metrics.firstText.Observe(time.Since(began).Seconds())
			ev = newEvents(w)
			out = a.stream(ev, id, named(req.Model), c)
		}
	}
	for d, err := range s.runner.Stream(ctx, req) {
		f := failed(err)
		switch {
		case d.Result != nil:
			s.metrics.turn(d.Result)
			if f != nil {
				if out != nil {
					out.fail(f)
				}
				return err
			}
			begin()
			out.end(stopReason(err), d.Result)
		case d.Aside:
			out.aside()
		default:
			begin()
			out.text(d.Text)
		}
		if ev.err != nil {
			return &failure{status: statusGone, message: "the client does not read the answer: " + ev.err.Error()}
		}
	}
	return nil
}

// isClaude tells whether a model's name is passed on to the agent.
var isClaude = regexp.MustCompile(`^(claude-[A-Za-z0-9.-]+|opus|sonnet|haiku)(\[1m\])?$`)

// named returns the model's name for an answer that begins before the answering model
// is known.
func named(model string) string {
	if model == "" {
		return "claude"
	}
	return model
}

// models lists the model names that a client may use, in the form of both APIs at once.
func (s *server) models(w http.ResponseWriter, _ *http.Request, _ string) error {
	names := []string{"opus", "sonnet", "haiku"}
	if m := s.request.Model; m != "" && !slices.Contains(names, m) {
		names = append([]string{m}, names...)
	}
	var data []object
	for _, name := range names {
		data = append(data, object{
			"id": name, "object": "model", "created": 0, "owned_by": "anthropic",
			"type": "model", "display_name": name, "created_at": "1970-01-01T00:00:00Z",
		})
	}
	writeJSON(w, http.StatusOK, object{
		"object": "list", "data": data,
		"has_more": false, "first_id": names[0], "last_id": names[len(names)-1],
	})
	return nil
}

// health reports whether requests are taken.
func (s *server) health(w http.ResponseWriter, _ *http.Request, _ string) error {
	if s.closing.Load() {
		return tuiturn.ErrClosed
	}
	writeJSON(w, http.StatusOK, object{"status": "ok"})
	return nil
}

// A response remembers its status and limits the time of each write.
type response struct {
	http.ResponseWriter
	status  int           // 0: nothing has been sent
	timeout time.Duration // of a write
}

func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.timeout))
	return w.ResponseWriter.Write(b)
}

// fail sends a failure, also to a client that seems to have gone: it may have
// closed its own half of the connection only, and must not read silence as an
// empty answer.
func (w *response) fail(a api, id string, f *failure) {
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.retryAfter.Seconds())))
	}
	if f.hopeless {
		w.Header().Set("X-Should-Retry", "false") // both official clients obey
	}
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, f.status, a.failure(id, f))
}
