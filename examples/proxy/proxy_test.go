package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/transcript"
)

func TestWholeAnswer(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := start(t, fakeagent.Turn{})

	got := p.do("/v1/chat/completions", hello)
	is.Equal(got.status, 200)
	var o struct {
		ID, Object, Model string
		Created           int64
		Choices           []struct {
			FinishReason string `json:"finish_reason"`
			Message      struct{ Role, Content string }
		}
		Usage struct {
			Prompt     int `json:"prompt_tokens"`
			Completion int `json:"completion_tokens"`
			Total      int `json:"total_tokens"`
		}
	}
	is.NoErr(json.Unmarshal([]byte(got.body), &o))
	is.True(strings.HasPrefix(o.ID, "chatcmpl-"))
	is.Equal(o.Object, "chat.completion")
	is.Equal(o.Model, "claude-test-1") // the model's name reached the agent
	is.True(time.Since(time.Unix(o.Created, 0)) < time.Minute)
	is.Equal(len(o.Choices), 1)
	is.Equal(o.Choices[0].Message.Role, "assistant")
	is.Equal(o.Choices[0].Message.Content, "You said: hello")
	is.Equal(o.Choices[0].FinishReason, "stop")
	is.True(o.Usage.Prompt > 0 && o.Usage.Total == o.Usage.Prompt+o.Usage.Completion)

	got = p.do("/v1/messages", strings.Replace(hello, "claude-test-1", "gpt-9", 1))
	is.Equal(got.status, 200)
	is.True(strings.HasPrefix(got.header.Get("Request-Id"), "req_"))
	var a struct {
		ID, Type, Role, Model string
		Content               []struct{ Type, Text string }
		StopReason            string `json:"stop_reason"`
		Usage                 struct {
			Input  int `json:"input_tokens"`
			Output int `json:"output_tokens"`
		}
	}
	is.NoErr(json.Unmarshal([]byte(got.body), &a))
	is.True(strings.HasPrefix(a.ID, "msg_"))
	is.Equal(a.Type, "message")
	is.Equal(a.Role, "assistant")
	is.Equal(a.Model, "claude-fake-1") // the agent's choice: the name is none of claude's
	is.Equal(len(a.Content), 1)
	is.Equal(a.Content[0].Type, "text")
	is.Equal(a.Content[0].Text, "You said: hello")
	is.Equal(a.StopReason, "end_turn")
	is.True(a.Usage.Input > 0 && a.Usage.Output > 0)
}

func TestStreamedAnswer(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := start(t, fakeagent.Turn{Text: "one\ntwo\nthree"})

	resp := p.open(t.Context(), "/v1/chat/completions", `{"stream":true,"stream_options":{"include_usage":true},`+hello[1:])
	is.Equal(resp.Header.Get("Content-Type"), "text/event-stream")
	is.Equal(readOpenAI(t, resp.Body), said{
		texts: []string{"one\ntwo\nthree"}, kinds: []string{"assistant", "usage", "done"}, finish: "stop", usage: true,
	})
	resp.Body.Close()

	got := p.do("/v1/chat/completions", streamed(hello))
	is.True(!strings.Contains(got.body, "usage")) // nobody has asked

	resp = p.open(t.Context(), "/v1/messages", streamed(hello))
	is.Equal(resp.Header.Get("Content-Type"), "text/event-stream")
	is.Equal(readAnthropic(t, resp.Body), said{
		texts: []string{"one\ntwo\nthree"}, finish: "end_turn", usage: true,
		kinds: []string{"message_start", "content_block_start", "ping", "content_block_delta", "content_block_stop", "message_delta", "message_stop"},
	})
	resp.Body.Close()
}

// What the agent says before it uses a tool is not the answer.
func TestNarration(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := start(t, fakeagent.Turn{Text: "it is\ndone", Tool: &fakeagent.Tool{Narration: "I will look"}})
	is.Equal(readOpenAI(t, strings.NewReader(p.do("/v1/chat/completions", streamed(hello)).body)).texts, []string{"I will look\n\nit is\ndone"})
	is.Equal(readAnthropic(t, strings.NewReader(p.do("/v1/messages", streamed(hello)).body)).texts, []string{"I will look", "it is\ndone"})
	is.True(!strings.Contains(p.do("/v1/chat/completions", hello).body, "look"))
}

// An answer that hit a limit, or that the model broke off, is one.
func TestStopReasons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ stop, openai, anthropic string }{
		{"max_tokens", "length", "max_tokens"},
		{"refusal", "content_filter", "refusal"},
	} {
		t.Run(c.stop, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			p := start(t, fakeagent.Turn{Text: "the beginning", StopReason: c.stop})
			got := readOpenAI(t, strings.NewReader(p.do("/v1/chat/completions", streamed(hello)).body))
			is.Equal(got.finish, c.openai)
			is.Equal(got.texts, []string{"the beginning"})
			whole := p.do("/v1/messages", hello)
			is.Equal(whole.status, 200)
			is.True(strings.Contains(whole.body, `"stop_reason":"`+c.anthropic+`"`))
			is.True(strings.Contains(whole.body, "the beginning"))
		})
	}
}

// The whole conversation reaches the agent, which answers with what it got.
func TestConversation(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := start(t, fakeagent.Turn{})
	got := p.do("/v1/messages", `{"system":"Be brief.","messages":[{"role":"user","content":"1+1?"},{"role":"assistant","content":"2"},{"role":"user","content":"+1?"}]}`)
	var a struct{ Content []struct{ Text string } }
	is.NoErr(json.Unmarshal([]byte(got.body), &a))
	_, prompt := render([]message{{role: "user", text: "1+1?"}, {role: "assistant", text: "2"}, {role: "user", text: "+1?"}})
	is.Equal(a.Content[0].Text, "You said: "+strings.TrimSpace(prompt))
}

// A turn that fails before its first text has a status, streamed or not.
func TestFailedTurns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name              string
		turn              fakeagent.Turn
		args              []string
		status            int
		openai, anthropic string
		retry             string // X-Should-Retry
	}{
		{"the agent's login is refused", fakeagent.Turn{APIError: &fakeagent.APIError{Status: 401}}, nil,
			401, "invalid_request_error invalid_api_key", "authentication_error", ""},
		{"the request is refused", fakeagent.Turn{APIError: &fakeagent.APIError{Status: 400}}, nil,
			400, "invalid_request_error", "invalid_request_error", "false"},
		{"rate limit of the service", fakeagent.Turn{APIError: &fakeagent.APIError{Status: 429}}, nil,
			429, "rate_limit_error rate_limit_exceeded", "rate_limit_error", ""},
		{"overloaded", fakeagent.Turn{APIError: &fakeagent.APIError{Status: 529}}, nil,
			529, "server_error overloaded", "overloaded_error", ""},
		{"deadline", fakeagent.Turn{Hang: true}, []string{"-timeout", "500ms"},
			504, "server_error", "timeout_error", "false"},
		{"a permission is asked for", fakeagent.Turn{Tool: &fakeagent.Tool{Ask: true}}, nil,
			500, "server_error", "api_error", "false"},
		{"the agent ends", fakeagent.Turn{End: &fakeagent.End{At: fakeagent.AtReceipt, Status: 3}}, nil,
			500, "server_error", "api_error", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			p := start(t, c.turn, c.args...)
			for i, api := range shapes {
				body := hello
				if i == 0 {
					body = streamed(hello)
				}
				got := p.do(api.path, body)
				is.Equal(got.status, c.status)
				is.Equal(got.header.Get("Content-Type"), "application/json")
				is.Equal(got.header.Get("X-Should-Retry"), c.retry)
				is.Equal(api.kind(got.body), []string{c.openai, c.anthropic}[i])
			}
		})
	}
}

// A turn that fails behind its first text ends the stream with an error.
func TestFailureInMidStream(t *testing.T) {
	t.Parallel()
	for name, turn := range map[string]fakeagent.Turn{
		"the agent ends":       {Text: "one\ntwo", ShowDelay: 200 * time.Millisecond, End: &fakeagent.End{At: fakeagent.AtHalf, Status: 3}},
		"another text is said": {Text: "one\nthree", Shown: []string{"one\ntwo", ""}, ShowDelay: 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			p := start(t, turn)
			for _, api := range shapes {
				resp := p.open(t.Context(), api.path, streamed(hello))
				is.Equal(resp.StatusCode, 200)
				got := api.stream(t, resp.Body)
				resp.Body.Close()
				is.True(strings.HasPrefix(strings.Join(got.texts, ""), "one\n"))
				is.Equal(got.finish, "")
				is.True(got.error == "server_error" || got.error == "api_error") // got.error
			}
		})
	}
}

// Clients that go away end their turns, in whatever state those are.
func TestClientGoes(t *testing.T) {
	t.Parallel()
	canceled := func(n int64) func(tuiturn.Stats) bool {
		return func(s tuiturn.Stats) bool { return s.Turns["canceled"] == n && s.Running == 0 && s.Waiting == 0 }
	}
	t.Run("before the first text", func(t *testing.T) {
		t.Parallel()
		p := start(t, fakeagent.Turn{Hang: true})
		for i, body := range []string{hello, streamed(hello)} {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				p.until("running", func(s tuiturn.Stats) bool { return s.Running == 1 })
				cancel()
			}()
			if resp, err := p.send(ctx, shapes[i].path, body); err == nil {
				t.Fatalf("status %d", resp.StatusCode)
			}
			p.until("cancelled", canceled(int64(i+1)))
		}
		if !strings.Contains(p.do("/metrics", "").body, `tuiturn_proxy_requests_total{path="/v1/messages",status="499"} 1`) {
			t.Error("not counted")
		}
	})
	t.Run("in mid-stream", func(t *testing.T) {
		t.Parallel()
		pieces := strings.SplitAfter(strings.Repeat("a line\n", 200), "\n")
		p := start(t, fakeagent.Turn{Text: strings.Join(pieces, ""), ShowDelay: 50 * time.Millisecond})
		for i, api := range shapes {
			resp := p.open(t.Context(), api.path, streamed(hello))
			if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			p.until("cancelled", canceled(int64(i+1)))
		}
	})
	t.Run("in the queue", func(t *testing.T) {
		t.Parallel()
		p := start(t, fakeagent.Turn{Hang: true}, "-turns", "1")
		ctx, cancel := context.WithCancel(t.Context())
		for i, api := range shapes {
			go p.send(ctx, api.path, hello)
			p.until("running, or waiting", func(s tuiturn.Stats) bool { return s.Running+s.Waiting == i+1 })
		}
		cancel()
		p.until("cancelled", canceled(2))
	})
	t.Run("it does not read", func(t *testing.T) {
		t.Parallel()
		p := start(t, fakeagent.Turn{Text: "one\ntwo\n", ShowDelay: 50 * time.Millisecond}, "-write-timeout", "1ns")
		if resp, err := p.send(t.Context(), "/v1/messages", streamed(hello)); err == nil {
			t.Errorf("status %d", resp.StatusCode)
		}
		p.until("cancelled", canceled(1))
		p.stop(0)
		if !strings.Contains(p.log.String(), "the client does not read") {
			t.Error(p.log)
		}
	})
}

func TestFullQueue(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := start(t, fakeagent.Turn{Hang: true}, "-turns", "1", "-waiting", "0")
	ctx, cancel := context.WithCancel(t.Context())
	go p.send(ctx, "/v1/messages", hello)
	p.until("running", func(s tuiturn.Stats) bool { return s.Running == 1 })
	for i, api := range shapes {
		got := p.do(api.path, hello)
		is.Equal(got.status, 429)
		is.Equal(got.header.Get("Retry-After"), "5")
		is.Equal(api.kind(got.body), []string{"rate_limit_error rate_limit_exceeded", "rate_limit_error"}[i])
	}
	cancel()
}

// What is refused costs no turn.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	const key = "an operator's own key"
	p := startAgent(t, fakeagent.Script{}, strings.ReplaceAll(key, " ", "-"), "-max-body", "500")
	for _, c := range []struct {
		name, path, body string
		header           string
		status           int
		kind             string // as the API of the path has it
	}{
		{"no key", "/v1/messages", hello, "Authorization: ", 401, "authentication_error"},
		{"a wrong key", "/v1/chat/completions", hello, "Authorization: Bearer an-operator's-own-kex", 401, "invalid_request_error invalid_api_key"},
		{"the key's beginning", "/v1/chat/completions", hello, "Authorization: Bearer an-operator's-own", 401, "invalid_request_error invalid_api_key"},
		{"another scheme", "/metrics", "", "Authorization: Basic an-operator's-own-key", 401, "invalid_request_error invalid_api_key"},
		{"an unknown path", "/v1/responses", hello, "", 404, "invalid_request_error"},
		{"an unknown path of Anthropic's", "/v1/messages/batches", hello, "", 404, "not_found_error"},
		{"a wrong method", "/v1/chat/completions", "", "", 405, "invalid_request_error"},
		{"a wrong method of Anthropic's", "/v1/messages", "", "", 405, "invalid_request_error"},
		{"too large", "/v1/messages", hello + strings.Repeat(" ", 500), "", 413, "request_too_large"},
		{"too large for OpenAI's", "/v1/chat/completions", hello + strings.Repeat(" ", 500), "", 413, "invalid_request_error"},
		{"no JSON", "/v1/chat/completions", hello + "}", "", 400, "invalid_request_error"},
		{"no message", "/v1/messages", `{}`, "", 400, "invalid_request_error"},
		{"nothing to see", "/v1/messages", `{"messages":[{"role":"user","content":" \u200b"}]}`, "", 400, "invalid_request_error"},
		{"keys of a terminal", "/v1/messages", `{"messages":[{"role":"user","content":"\u001b[201~\r!id\r"}]}`, "", 400, "invalid_request_error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			var headers []string
			if c.header != "" {
				headers = []string{c.header}
			}
			got := p.do(c.path, c.body, headers...)
			is.Equal(got.status, c.status)
			kind := openaiKind
			if strings.HasPrefix(c.path, "/v1/messages") {
				kind = anthropicKind
			}
			is.Equal(kind(got.body), c.kind)
			is.Equal(got.header.Get("Allow") != "", c.status == 405)
			is.Equal(got.header.Get("WWW-Authenticate") != "", c.status == 401)
			is.True(!strings.Contains(got.body, "s-own-key")) // the key is not told
		})
	}
	t.Run("headers that are too large", func(t *testing.T) {
		is := is.New(t)
		is.Equal(p.do("/healthz", "", "X-Large: "+strings.Repeat("x", 64<<10)).status, 431)
	})
	t.Run("not refused", func(t *testing.T) {
		is := is.New(t)
		is.Equal(p.do("/healthz", "", "Authorization: ").status, 200) // needs no key
		is.Equal(p.do("/v1/models", "", "Authorization: ", "X-Api-Key: "+p.key).status, 200)
		is.Equal(p.do("/v1/models", "", "Authorization: bearer  "+p.key, "Host: proxy.example", "Origin: https://proxy.example").status, 200)
	})
	for outcome, n := range p.server.runner.Stats().Turns {
		if outcome != "prompt" {
			t.Errorf("%d turns: %s", n, outcome)
		}
	}
	if strings.Contains(p.log.String(), p.key) {
		t.Error("the key is in the log")
	}
}

// Without a key no web page gets in.
func TestWebPages(t *testing.T) {
	t.Parallel()
	p := start(t, fakeagent.Turn{})
	port := p.url[strings.LastIndex(p.url, ":"):]
	for _, c := range []struct {
		name   string
		header string
		status int
	}{
		{"a program", "User-Agent: curl", 200},
		{"a program with fetch", "Sec-Fetch-Mode: cors", 200}, // Node's sends that
		{"a person's browser", "Sec-Fetch-Site: none", 200},
		{"by name", "Host: localhost" + port, 200},
		{"by IPv6", "Host: [::1]" + port, 200},
		{"by another address of loopback", "Host: 127.9.9.9" + port, 200},
		{"DNS rebinding", "Host: evil.example" + port, 403},
		{"DNS rebinding that looks local", "Host: localhost.evil.example", 403},
		{"an address that is not loopback", "Host: 192.168.0.9" + port, 403},
		{"a page", "Origin: https://evil.example", 403},
		{"a page in a sandbox", "Origin: null", 403},
		{"a page that only loads", "Sec-Fetch-Site: cross-site", 403},
		{"a page of another port", "Sec-Fetch-Site: same-site", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			for _, path := range []string{"/v1/models", "/healthz", "/metrics"} {
				is.Equal(p.do(path, "", c.header).status, c.status)
			}
		})
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := start(t, fakeagent.Turn{}, "-model", "claude-best-1")
	var list struct {
		Object  string
		HasMore bool `json:"has_more"`
		Data    []struct {
			ID, Object, Type string
			CreatedAt        time.Time `json:"created_at"`
		}
	}
	is.NoErr(json.Unmarshal([]byte(p.do("/v1/models", "").body), &list))
	is.Equal(list.Object, "list")
	is.Equal(list.Data[0].ID, "claude-best-1")
	is.Equal(list.Data[1].Object, "model")
	is.Equal(list.Data[1].Type, "model")
	is.True(strings.Contains(p.do("/v1/chat/completions", strings.Replace(hello, "claude-test-1", "gpt-9", 1)).body, `"model":"claude-best-1"`))
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := start(t, fakeagent.Turn{}, "-warm", "1")
	p.until("warm for whole answers and for streams", func(s tuiturn.Stats) bool { return s.Pool.Ready == 2 })
	body := strings.Replace(hello, "claude-test-1", "", 1)
	is.Equal(p.do("/v1/messages", body).status, 200)
	is.Equal(p.do("/v1/messages", streamed(body)).status, 200)
	got := p.do("/metrics", "").body
	for _, line := range []string{
		`tuiturn_turns_total{outcome="answer"} 2`,
		`tuiturn_pool_hits_total 2`,
		`tuiturn_turns_running 0`,
		`tuiturn_turns_waiting 0`,
		`tuiturn_turn_seconds_count{phase="total"} 2`,
		`tuiturn_proxy_first_text_seconds_count 1`,
		`tuiturn_proxy_requests_total{path="/v1/messages",status="200"} 2`,
	} {
		is.True(strings.Contains(got, line+"\n")) // line
	}
}

// slow is an answer that takes a moment.
var slow = fakeagent.Turn{Text: "one\ntwo\n", ShowDelay: 250 * time.Millisecond}

// Turns under way come to their end, and nobody new gets in.
func TestShutdown(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := start(t, slow)
	resp := p.open(t.Context(), "/v1/messages", streamed(hello)) // has begun
	defer resp.Body.Close()
	p.signals <- syscall.SIGTERM
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		again, err := p.send(t.Context(), "/healthz", "", "Connection: close")
		if err != nil {
			break // it does not listen any more
		}
		again.Body.Close()
		is.True(time.Now().Before(end))
	}
	got := readAnthropic(t, resp.Body)
	is.Equal(got.texts, []string{"one\ntwo\n"})
	is.Equal(got.finish, "end_turn")
	p.exits(0)
}

// Those that are not over then are ended, and their clients are told.
func TestShutdownAfterGrace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args    []string
		signals int
	}{
		"grace is over":   {[]string{"-grace", "50ms"}, 1},
		"a second signal": {[]string{"-grace", "1h"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			p := start(t, fakeagent.Turn{Hang: true}, c.args...)
			answers := make(chan reply)
			for i, api := range shapes {
				go func() { answers <- p.do(api.path, []string{hello, streamed(hello)}[i]) }()
			}
			p.until("running", func(s tuiturn.Stats) bool { return s.Running == 2 })
			for range c.signals {
				p.signals <- syscall.SIGTERM
			}
			for range shapes {
				got := <-answers
				is.Equal(got.status, 503)
				is.Equal(got.header.Get("Retry-After"), "5")
			}
			p.exits(0)
		})
	}
}

// Clients that stop in the middle of what they have to say.
func TestHalfRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		body   string // of the length that hello has
		close  bool   // the client's half of the connection
		status string
	}{
		{"the body takes too long", hello[:9], false, "408"},
		{"the body breaks off", hello[:9], true, "499"},
		{"the client waits for no answer, but reads", hello, true, "499"}, // no empty answer
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			p := start(t, fakeagent.Turn{Hang: true}, "-read-timeout", "100ms")
			conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
			is.NoErr(err)
			defer conn.Close()
			fmt.Fprintf(conn, "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(hello), c.body)
			if c.close {
				is.NoErr(conn.(*net.TCPConn).CloseWrite())
			}
			is.NoErr(conn.SetReadDeadline(time.Now().Add(patience)))
			got, err := io.ReadAll(conn)
			is.NoErr(err)
			is.True(bytes.HasPrefix(got, []byte("HTTP/1.1 "+c.status+" ")))
		})
	}
}

// How long a request may take to come is not how long its turn may.
func TestTurnTakesLongerThanItsRequest(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := start(t, fakeagent.Turn{Delay: 600 * time.Millisecond}, "-read-timeout", "300ms")
	is.Equal(p.do("/v1/messages", hello).status, 200)
}

// A request that comes behind another on one connection is not taken for its
// client's end.
func TestPipelining(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	p := start(t, fakeagent.Turn{Delay: 100 * time.Millisecond})
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	is.NoErr(err)
	defer conn.Close()
	one := fmt.Sprintf("POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(hello), hello)
	_, err = io.WriteString(conn, one+one+"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	is.NoErr(err)
	got, err := io.ReadAll(conn)
	is.NoErr(err)
	is.Equal(bytes.Count(got, []byte("HTTP/1.1 200 OK")), 3)
}

func TestDoesNotStart(t *testing.T) {
	t.Parallel()
	empty := t.TempDir() + "/empty"
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   []string
		key    string
		status int
		says   string
	}{
		{"every address, no key", []string{"-listen", "0.0.0.0:0"}, "", 1, "set a key in " + keyVar},
		{"no address, no key", []string{"-listen", ":0"}, "", 1, "set a key in " + keyVar},
		{"a short key", nil, "guess me", 1, "the key in " + keyVar},
		{"no key file", []string{"-key-file", "/nowhere"}, "", 1, "-key-file"},
		{"a key file that is empty", []string{"-key-file", empty}, "a key that is not asked for", 1, "is empty"},
		{"no such address", []string{"-listen", "127.0.0.1:port"}, "", 1, "127.0.0.1:port"},
		{"old sessions of the operator's own", []string{"-demo=false", "-keep", "24h"}, "", 1, "those in your own home are yours"},
		{"too young to go", []string{"-keep", "1m"}, "", 2, "-keep 1m0s"},
		{"an argument", []string{"x"}, "", 2, `"x" is no flag`},
		{"no turn", []string{"-turns", "0"}, "", 2, "at least one turn"},
		{"no time", []string{"-timeout", "0"}, "", 2, "-timeout"},
		{"a model of somebody else's", []string{"-model", "gpt-9"}, "", 2, "-model gpt-9"},
		{"an unknown terminal", []string{"-terminal", "teletype"}, "", 2, "use auto, tmux or pty"},
		{"an unknown flag", []string{"-nope"}, "", 2, "-nope"},
		{"help", []string{"-h"}, "", 0, "one operator's own use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			var errs bytes.Buffer
			p := proxy{home: t.TempDir(), environ: []string{keyVar + "=" + c.key}, stderr: &errs}
			is.Equal(p.run(append([]string{"-demo"}, c.args...)), c.status)
			is.True(strings.Contains(errs.String(), c.says)) // errs
		})
	}
}

func TestOldSessionsGo(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	home := t.TempDir()
	session := func(id string, age time.Duration) string {
		path := transcript.Path(home, "/w", id)
		is.NoErr(os.MkdirAll(filepath.Dir(path), 0o700))
		is.NoErr(os.WriteFile(path, []byte("{}\n"), 0o600))
		is.NoErr(os.Chtimes(path, time.Time{}, time.Now().Add(-age)))
		return path
	}
	old := session("0b1c2d3e-0000-4000-8000-000000000001", 25*time.Hour)
	young := session("0b1c2d3e-0000-4000-8000-000000000002", 23*time.Hour)
	start(t, fakeagent.Turn{}, "-home", home, "-keep", "24h")
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(old); err != nil {
			break
		}
		is.True(time.Now().Before(end)) // it is still there
	}
	_, err := os.Stat(young)
	is.NoErr(err)
}

func TestListenAddress(t *testing.T) {
	is := is.New(t)
	_, err := listenAddr("0.0.0.0:80", "")
	is.True(err != nil)
	for listen, key := range map[string]string{"127.0.0.1:80": "", "[::1]:80": "", "127.9.9.9:80": "", "0.0.0.0:80": "a key", ":80": "a key"} {
		_, err := listenAddr(listen, key)
		is.NoErr(err)
	}
}

func TestKeyFromAFile(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	file := t.TempDir() + "/key"
	is.NoErr(os.WriteFile(file, []byte("from-a-file-of-the-operator\n"), 0o600))
	p := startAgent(t, fakeagent.Script{}, "", "-key-file", file)
	is.Equal(p.do("/v1/models", "").status, http.StatusUnauthorized)
	is.Equal(p.do("/v1/models", "", "X-Api-Key: from-a-file-of-the-operator").status, 200)
}
