package standin

import (
	"net/http"
	"testing"

	"github.com/matryer/is"
)

// The bodies are what the versions named send, cut down to the fields that
// matter.
func TestPrompt(t *testing.T) {
	const reminder = `{"type":"text","text":"<system-reminder>\nAs you answer\n</system-reminder>\n\n"}`
	for name, c := range map[string]struct{ messages, want string }{
		"2.1.104, 2.1.158: after the reminder": {
			`[{"role":"user","content":[` + reminder + `,{"type":"text","text":"a\tb\n c"}]}]`, "a\tb\n c"},
		"2.1.330: a string, and a system message behind it": {
			`[{"role":"user","content":"hello"},{"role":"system","content":[{"type":"text","text":"# Environment"}]}]`, "hello"},
		"second turn": {
			`[{"role":"user","content":"one"},{"role":"assistant","content":[{"type":"text","text":"ok"}]},
			  {"role":"user","content":[{"type":"text","text":"two"}]}]`, "two"},
		"after a tool call": {
			`[{"role":"user","content":[` + reminder + `,{"type":"text","text":"run"}]},
			  {"role":"assistant","content":[{"type":"tool_use","id":"t"}]},
			  {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"done"},{"type":"text","text":"<system-reminder>"}]}]`, "run"},
		"a file was mentioned": {
			`[{"role":"user","content":"<system-reminder>\nCalled the Read tool"},
			  {"role":"user","content":[{"type":"text","text":"<system-reminder>\nResult"},` + reminder + `,{"type":"text","text":"see @f"}]}]`, "see @f"},
		"the person typed a tag": {
			`[{"role":"user","content":[` + reminder + `,{"type":"text","text":"<system-reminder>x</system-reminder>"}]}]`,
			"<system-reminder>x</system-reminder>"},
		"no messages": {`[]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(Request{Body: []byte(`{"messages":` + c.messages + `}`)}.Prompt(), c.want)
		})
	}
}

func TestIsTitle(t *testing.T) {
	for body, want := range map[string]bool{
		`{"output_config":{"effort":"high","format":{"type":"json_schema","schema":{"properties":{"title":{"type":"string"}}}}}}`: true,
		`{"output_config":{"format":{"schema":{"properties":{"title":{},"author":{}}}}}}`:                                         false,
		`{"output_config":{"effort":"high"}}`:                        false,
		`{"messages":[{"role":"user","content":"a title, please"}]}`: false,
	} {
		is := is.New(t)
		is.Equal(Request{Body: []byte(body)}.IsTitle(), want) // body
	}
}

func TestToolResultsAreThoseAfterTheLastAnswer(t *testing.T) {
	is := is.New(t)
	r := Request{Body: []byte(`{"messages":[
		{"role":"assistant","content":[{"type":"tool_use","id":"a"}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"old"}]},
		{"role":"assistant","content":[{"type":"tool_use","id":"b"}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"b","is_error":true,"content":[{"type":"text","text":"no"}]}]}]}`)}
	is.Equal(r.ToolResults(), []ToolResult{{ID: "b", Text: "no", IsError: true}})
}

func TestToken(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		want   string
	}{
		"bearer":  {http.Header{"Authorization": {"Bearer tok"}}, "tok"},
		"API key": {http.Header{"X-Api-Key": {"key"}}, "key"},
		"none":    {http.Header{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(Request{Header: c.header}.Token(), c.want)
		})
	}
}

func TestBodyFields(t *testing.T) {
	is := is.New(t)
	r := Request{Body: []byte(`{"model":"m","stream":true,"tools":[{"name":"Bash"}]}`)}
	is.Equal(r.Model(), "m")
	is.True(r.Stream())
	is.True(r.HasTools())
	none := Request{Body: []byte("not JSON")}
	is.Equal(none.Model(), "")
	is.True(!none.Stream())
	is.True(!none.HasTools())
}
