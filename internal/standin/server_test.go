package standin

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// post sends body to path with a bearer token.
func post(t *testing.T, s *Server, path, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer dummy")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func start(t *testing.T, h Handler) *Server {
	s := Start(h)
	t.Cleanup(s.Close)
	return s
}

func always(p Reply) Handler { return func(Request) Reply { return p } }

// event is one server-sent event, with the fields that any of them has.
type event struct {
	Type    string
	Index   int
	Message struct{ Model string }
	Delta   struct {
		Type        string
		Text        string
		PartialJSON string `json:"partial_json"`
		StopReason  string `json:"stop_reason"`
	}
	ContentBlock struct{ Type, Name, ID string } `json:"content_block"`
	Usage        Usage
}

// events reads a stream to its end, or to the error that cut it.
func events(r io.Reader) (out []event, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return out, err
		}
		out = append(out, e)
	}
	return out, lines.Err()
}

func TestServerListensOnLoopbackOnly(t *testing.T) {
	is := is.New(t)
	u, err := url.Parse(start(t, always(Reply{})).URL)
	is.NoErr(err)
	is.Equal(u.Hostname(), "127.0.0.1")
}

func TestServerRecordsRequestsInOrder(t *testing.T) {
	is := is.New(t)
	s := start(t, always(Reply{Text: "hi"}))
	before := time.Now()
	post(t, s, "/v1/messages?beta=true", `{"model":"m"}`)
	post(t, s, "/v1/messages/count_tokens", `{"messages":[]}`)
	post(t, s, "/api/event_logging/batch", `{}`)

	got := s.Requests()
	is.Equal(len(got), 3)
	is.Equal(got[0].Method, "POST")
	is.Equal(got[0].Path, "/v1/messages")
	is.Equal(string(got[0].Body), `{"model":"m"}`)
	is.Equal(got[0].Token(), "dummy")
	is.True(!got[0].Time.Before(before))
	is.Equal(got[2].Path, "/api/event_logging/batch")
}

func TestCountTokens(t *testing.T) {
	is := is.New(t)
	resp := post(t, start(t, nil), "/v1/messages/count_tokens", `{"messages":[]}`)
	var got struct {
		InputTokens int `json:"input_tokens"`
	}
	is.NoErr(json.NewDecoder(resp.Body).Decode(&got))
	is.True(got.InputTokens > 0)
}

func TestEverythingElseIsNotFound(t *testing.T) {
	is := is.New(t)
	resp := post(t, start(t, nil), "/v1/models", "")
	is.Equal(resp.StatusCode, http.StatusNotFound)
}

func TestJSONAnswer(t *testing.T) {
	is := is.New(t)
	s := start(t, always(Reply{Text: "hi", Usage: Usage{InputTokens: 3, OutputTokens: 5}}))
	var got struct {
		Role       string
		Model      string
		StopReason string `json:"stop_reason"`
		Content    []struct{ Type, Text string }
		Usage      Usage
	}
	is.NoErr(json.NewDecoder(post(t, s, "/v1/messages", `{"model":"m"}`).Body).Decode(&got))
	is.Equal(got.Role, "assistant")
	is.Equal(got.Model, "m")
	is.Equal(got.StopReason, "end_turn")
	is.Equal(len(got.Content), 1)
	is.Equal(got.Content[0].Text, "hi")
	is.Equal(got.Usage, Usage{InputTokens: 3, OutputTokens: 5})
}

func TestStreamedAnswer(t *testing.T) {
	is := is.New(t)
	text := strings.Repeat("käse 👩‍👩‍👧\n", 9000)
	s := start(t, always(Reply{
		Text:  text,
		Tools: []ToolUse{{Name: "Bash", Input: map[string]string{"command": "ls"}}},
		Usage: Usage{OutputTokens: 7},
		Piece: 100,
	}))
	got, err := events(post(t, s, "/v1/messages", `{"model":"m","stream":true}`).Body)
	is.NoErr(err)

	var streamed, input strings.Builder
	var deltas int
	for _, e := range got {
		streamed.WriteString(e.Delta.Text)
		input.WriteString(e.Delta.PartialJSON)
		if e.Delta.Type == "text_delta" {
			deltas++
		}
	}
	is.Equal(streamed.String(), text)
	is.Equal(input.String(), `{"command":"ls"}`)
	is.True(deltas > 900)

	is.Equal(got[0].Type, "message_start")
	is.Equal(got[0].Message.Model, "m")
	is.Equal(got[1].Type, "content_block_start")
	n := len(got)
	is.Equal(got[n-5].ContentBlock.Name, "Bash")
	is.Equal(got[n-5].Index, 1)
	is.Equal(got[n-3].Type, "content_block_stop")
	is.Equal(got[n-2].Type, "message_delta")
	is.Equal(got[n-2].Delta.StopReason, "tool_use")
	is.Equal(got[n-2].Usage.OutputTokens, 7)
	is.Equal(got[n-1].Type, "message_stop")
}

func TestToolCallsOfOneServerHaveIDsOfTheirOwn(t *testing.T) {
	is := is.New(t)
	s := start(t, always(Reply{Tools: []ToolUse{{Name: "A"}, {Name: "B"}}}))
	seen := map[string]bool{}
	for range 2 {
		got, err := events(post(t, s, "/v1/messages", `{"stream":true}`).Body)
		is.NoErr(err)
		for _, e := range got {
			if e.ContentBlock.Type == "tool_use" {
				seen[e.ContentBlock.ID] = true
			}
		}
	}
	is.Equal(len(seen), 4)
}

func TestErrorAnswers(t *testing.T) {
	for status, kind := range map[int]string{
		400: "invalid_request_error",
		401: "authentication_error",
		403: "permission_error",
		429: "rate_limit_error",
		500: "api_error",
		529: "overloaded_error",
	} {
		t.Run(kind, func(t *testing.T) {
			is := is.New(t)
			h := http.Header{"Retry-After": {"1"}}
			s := start(t, always(Reply{Status: status, Message: "no", Header: h}))
			resp := post(t, s, "/v1/messages", `{"stream":true}`)
			is.Equal(resp.StatusCode, status)
			is.Equal(resp.Header.Get("Retry-After"), "1")
			var got struct {
				Type  string
				Error struct{ Type, Message string }
			}
			is.NoErr(json.NewDecoder(resp.Body).Decode(&got))
			is.Equal(got.Type, "error")
			is.Equal(got.Error.Type, kind)
			is.Equal(got.Error.Message, "no")
		})
	}
}

func TestDropCutsTheConnection(t *testing.T) {
	is := is.New(t)
	s := start(t, always(Reply{Drop: true}))
	_, err := http.Post(s.URL+"/v1/messages", "application/json", strings.NewReader("{}"))
	is.True(errors.Is(err, io.EOF))
}

func TestDropAfterPieces(t *testing.T) {
	is := is.New(t)
	s := start(t, always(Reply{Text: "abcdef", Piece: 2, Drop: true, DropAfter: 2}))
	got, err := events(post(t, s, "/v1/messages", `{"stream":true}`).Body)
	is.True(errors.Is(err, io.ErrUnexpectedEOF))
	var text string
	for _, e := range got {
		text += e.Delta.Text
	}
	is.Equal(text, "abcd")
}

func TestDelayComesBeforeTheFirstByte(t *testing.T) {
	is := is.New(t)
	s := start(t, always(Reply{Delay: 50 * time.Millisecond}))
	begin := time.Now()
	post(t, s, "/v1/messages", `{"stream":true}`)
	is.True(time.Since(begin) >= 50*time.Millisecond)
}

func TestCloseCutsAnAnswerUnderWay(t *testing.T) {
	is := is.New(t)
	asked := make(chan struct{})
	s := Start(func(Request) Reply { close(asked); return Reply{Delay: time.Hour} })
	u, err := url.Parse(s.URL)
	is.NoErr(err)
	conn, err := net.Dial("tcp", u.Host)
	is.NoErr(err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
	is.NoErr(err)
	<-asked
	s.Close()
	is.NoErr(conn.SetReadDeadline(time.Now().Add(5 * time.Second)))
	b, err := io.ReadAll(conn)
	is.True(len(bytes.TrimSpace(b)) == 0)
	var timeout net.Error
	is.True(!errors.As(err, &timeout) || !timeout.Timeout())
}
