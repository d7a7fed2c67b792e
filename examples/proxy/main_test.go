package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/internal/lease"
)

// With -demo the agent is this test binary.
func TestMain(m *testing.M) {
	beDemoAgent()
	lease.Apart()
	lease.Considered = lease.NoOrphans
	flag.Set("test.parallel", "6") // a turn of the built-in agent mostly waits
	os.Exit(run(m))
}

// run has all temporary files in one directory, and looks whether any is left.
func run(m *testing.M) (status int) {
	tmp, err := os.MkdirTemp("", "px-") // short: sockets are made below it
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(tmp)
	os.Setenv("TMPDIR", tmp)
	status = m.Run()
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		fmt.Fprintln(os.Stderr, "left behind:", left)
		status = max(status, 1)
	}
	return status
}

const patience = 2 * time.Minute

// A running is a proxy that runs.
type running struct {
	t       *testing.T
	url     string
	server  *server
	key     string
	signals chan os.Signal
	ended   chan int // gets the exit status
	log     *log
}

// A log can be read while it is written.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start starts a proxy whose agent behaves so in each turn. It ends with the test.
func start(t *testing.T, turn fakeagent.Turn, args ...string) *running {
	t.Helper()
	return startAgent(t, fakeagent.Script{Version: "2.1.330", Turns: []fakeagent.Turn{turn}}, "", args...)
}

func startAgent(t *testing.T, script fakeagent.Script, key string, args ...string) *running {
	t.Helper()
	return launch(t, proxy{home: t.TempDir(), environ: []string{"PATH=" + os.Getenv("PATH"), keyVar + "=" + key}},
		append([]string{"-demo", "-terminal", "pty", "-env", script.Environ()[0]}, args...)...)
}

// launch runs c, which has an operator's home and environment.
func launch(t *testing.T, c proxy, args ...string) *running {
	t.Helper()
	p := &running{t: t, key: lookup(c.environ, keyVar), signals: make(chan os.Signal, 2), ended: make(chan int, 1), log: &log{}}
	ready := make(chan struct{})
	c.stderr, c.signals = p.log, p.signals
	c.listening = func(addr net.Addr, s *server) {
		p.url, p.server = "http://"+addr.String(), s
		close(ready)
	}
	go func() { p.ended <- c.run(append([]string{"-listen", "127.0.0.1:0"}, args...)) }()
	t.Cleanup(func() { p.stop(0) })
	select {
	case <-ready:
	case status := <-p.ended:
		p.ended <- status
		t.Fatalf("it ended with status %d: %s", status, p.log)
	}
	return p
}

// stop ends the proxy as an operator who is in a hurry does, and checks its exit
// status.
func (p *running) stop(want int) {
	p.t.Helper()
	for range 2 {
		select {
		case p.signals <- syscall.SIGTERM:
		default:
		}
	}
	p.exits(want)
}

// exits waits for the proxy's end.
func (p *running) exits(want int) {
	p.t.Helper()
	select {
	case status := <-p.ended:
		p.ended <- status
		if status != want {
			p.t.Errorf("exit status %d: %s", status, p.log)
		}
	case <-time.After(patience):
		p.t.Fatalf("it does not end: %s", p.log)
	}
}

// A reply is what came back, as far as it has come.
type reply struct {
	status int
	header http.Header
	body   string
}

// do makes a request. A body makes it a POST.
func (p *running) do(path, body string, header ...string) reply {
	p.t.Helper()
	resp := p.open(p.t.Context(), path, body, header...)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

func (p *running) open(ctx context.Context, path, body string, header ...string) *http.Response {
	p.t.Helper()
	resp, err := p.send(ctx, path, body, header...)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp
}

func (p *running) send(ctx context.Context, path, body string, header ...string) (*http.Response, error) {
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if p.key != "" {
		req.Header.Set("Authorization", "Bearer "+p.key)
	}
	for _, h := range header {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
		if k == "Host" {
			req.Host = v
		}
	}
	return http.DefaultTransport.RoundTrip(req)
}

// until waits for something to become true of the Runner's numbers.
func (p *running) until(what string, is func(tuiturn.Stats) bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); !is(p.server.runner.Stats()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("not %s: %+v, %s", what, p.server.runner.Stats(), p.log)
		}
	}
}

// A shape is one of the APIs, to a client.
type shape struct {
	name, path string
	kind       func(body string) string // the type of an error
	stream     func(t *testing.T, r io.Reader) said
}

var shapes = []shape{
	{"openai", "/v1/chat/completions", openaiKind, readOpenAI},
	{"anthropic", "/v1/messages", anthropicKind, readAnthropic},
}

// hello is a request in either shape.
const hello = `{"model":"claude-test-1","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}`

// streamed is the same request for a stream.
func streamed(body string) string { return `{"stream":true,` + strings.TrimPrefix(body, "{") }

func openaiKind(body string) string {
	var e struct {
		Error struct{ Message, Type, Code string }
	}
	if json.Unmarshal([]byte(body), &e) != nil || e.Error.Message == "" {
		return "no error of OpenAI's: " + body
	}
	return strings.TrimSuffix(e.Error.Type+" "+e.Error.Code, " ")
}

func anthropicKind(body string) string {
	var e struct {
		Type, Request_id string
		Error            struct{ Message, Type string }
	}
	if json.Unmarshal([]byte(body), &e) != nil || e.Type != "error" || e.Error.Message == "" || e.Request_id == "" {
		return "no error of Anthropic's: " + body
	}
	return e.Error.Type
}

// A said is what a stream came to.
type said struct {
	texts  []string // of each block
	kinds  []string // of the events, repeated ones once
	finish string
	usage  bool // it told the usage
	error  string
}

// sse reads server-sent events and checks their form.
func sse(t *testing.T, r io.Reader, event func(kind, data string)) {
	t.Helper()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	kind := ""
	for lines.Scan() {
		line := lines.Text()
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			event(kind, data)
			kind = ""
		} else if kind, ok = strings.CutPrefix(line, "event: "); !ok && line != "" {
			t.Errorf("no line of an event: %q", line)
		}
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
}

func readOpenAI(t *testing.T, r io.Reader) (s said) {
	t.Helper()
	s.texts = []string{""}
	sse(t, r, func(kind, data string) {
		var c struct {
			Object  string
			Choices []struct {
				Delta        struct{ Role, Content string }
				FinishReason string `json:"finish_reason"`
			}
			Usage *struct {
				Total int `json:"total_tokens"`
			}
		}
		switch {
		case kind != "":
			t.Errorf("OpenAI has no event of type %q", kind)
		case s.error != "" || len(s.kinds) > 0 && s.kinds[len(s.kinds)-1] == "done":
			t.Errorf("behind the end: %s", data)
		case data == "[DONE]":
			s.kinds = append(s.kinds, "done")
		case strings.HasPrefix(data, `{"error":`):
			s.error = openaiKind(data)
		case json.Unmarshal([]byte(data), &c) != nil || c.Object != "chat.completion.chunk":
			t.Errorf("no chunk: %s", data)
		case len(c.Choices) == 0:
			s.usage = c.Usage != nil && c.Usage.Total > 0
			s.kinds = append(s.kinds, "usage")
		case s.finish != "":
			t.Errorf("behind the last: %s", data)
		default:
			if c.Choices[0].Delta.Role != "" {
				s.kinds = append(s.kinds, c.Choices[0].Delta.Role)
			}
			s.texts[0] += c.Choices[0].Delta.Content
			s.finish = c.Choices[0].FinishReason
		}
	})
	return s
}

func readAnthropic(t *testing.T, r io.Reader) (s said) {
	t.Helper()
	open := false
	sse(t, r, func(kind, data string) {
		var e struct {
			Type  string
			Index int
			Delta struct {
				Type, Text string
				StopReason string `json:"stop_reason"`
			}
			Usage struct {
				Output int `json:"output_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil || e.Type != kind {
			t.Errorf("no event of type %q: %s", kind, data)
		}
		if strings.HasPrefix(kind, "content_block") && open == (kind == "content_block_start") {
			t.Errorf("%s, while a block is open: %v", kind, open)
		}
		if len(s.kinds) == 0 || s.kinds[len(s.kinds)-1] != kind {
			s.kinds = append(s.kinds, kind)
		}
		switch kind {
		case "content_block_start":
			s.texts, open = append(s.texts, ""), true
		case "content_block_delta":
			s.texts[e.Index] += e.Delta.Text
		case "content_block_stop":
			open = false
		case "message_delta":
			s.finish, s.usage = e.Delta.StopReason, e.Usage.Output > 0
		case "error":
			s.error = anthropicKind(data)
		}
	})
	return s
}
