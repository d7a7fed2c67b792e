package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// user is a request with this content and these further fields.
func user(content, fields string) string {
	return `{` + fields + `"messages":[{"role":"user","content":` + content + `}]}`
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name string
		api  api
		body string
		want []message
	}{
		{"text", openai{}, user(`"a\u00e4\ud83d\ude00\\ud800"`, ""), []message{{"user", "", `aä😀\ud800`}}},
		{"blocks", anthropic{}, user(`[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}]`, ""),
			[]message{{"user", "", "a\nb"}}},
		{"a system prompt", anthropic{}, user(`"a"`, `"system":[{"type":"text","text":"s"}],`), []message{{"system", "", "s"}, {"user", "", "a"}}},
		{"no system prompt", anthropic{}, user(`"a"`, `"system":null,`), []message{{"user", "", "a"}}},
		{"all roles", openai{}, `{"messages":[{"role":"system","content":"s"},{"role":"developer","content":"d"},{"role":"user","name":"ada","content":"u"},
			{"role":"assistant","content":"a","refusal":null,"tool_calls":[],"audio":null,"annotations":[]},{"role":"user","content":"v"}]}`,
			[]message{{"system", "", "s"}, {"system", "", "d"}, {"user", "ada", "u"}, {"assistant", "", "a"}, {"user", "", "v"}}},
		{"what only tunes", openai{}, user(`"a"`, `"temperature":0.1,"max_tokens":5,"seed":1,"n":1,"stop":null,"tools":[],"response_format":{"type":"text"},"modalities":["text"],"logprobs":false,"reasoning_effort":"low",`),
			[]message{{"user", "", "a"}}},
		{"what only tunes Anthropic's", anthropic{}, user(`"a"`, `"max_tokens":5,"thinking":{"type":"enabled","budget_tokens":1024},"metadata":{"user_id":"x"},"stop_sequences":[],"tools":[],`),
			[]message{{"user", "", "a"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			got, err := c.api.read([]byte(c.body))
			is.NoErr(err)
			is.Equal(got.messages, c.want)
		})
	}
}

// Nothing that an answer would be wrong without is left out in silence.
func TestReadRefuses(t *testing.T) {
	o, a := openai{}, anthropic{}
	for _, c := range []struct {
		name string
		api  api
		body string
		says string
	}{
		{"nothing", o, ``, "JSON"},
		{"no object", o, `[]`, "JSON"},
		{"more than one", o, user(`"a"`, "") + user(`"b"`, ""), "JSON"},
		{"no UTF-8", o, user("\"a\xff\"", ""), "UTF-8"},
		{"half a character", a, user(`"a\ud83d"`, ""), "half a character"},
		{"the other half", a, user(`"\ude00\ud83d"`, ""), "half a character"},
		{"two first halves", a, user(`"\ud83d\ud83d\ude00"`, ""), "half a character"},
		{"NUL", o, user(`"a\u0000"`, ""), "NUL"},
		{"NUL in the system prompt", a, user(`"a"`, `"system":"\u0000",`), "system holds a NUL"},
		{"no messages", o, `{}`, "no message of the user's"},
		{"nobody asks", o, `{"messages":[{"role":"system","content":"s"}]}`, "no message of the user's"},
		{"an answer is begun", a, `{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}`, "the last message is the assistant's"},
		{"no role", o, `{"messages":[{"content":"u"}]}`, `messages[0].role is ""`},
		{"OpenAI's role", a, `{"messages":[{"role":"developer","content":"u"}]}`, `messages[0].role is "developer"`},
		{"a name with a quote", o, `{"messages":[{"role":"user","name":"a\"b","content":"u"}]}`, "messages[0].name"},
		{"no content", o, `{"messages":[{"role":"user"}]}`, "messages[0].content is missing"},
		{"null", o, user("null", ""), "messages[0].content is missing"},
		{"a number", o, user("1", ""), "messages[0].content is neither"},
		{"an image", o, user(`[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:"}}]`, ""), `messages[0].content[1] is of type "image_url"`},
		{"Anthropic's image", a, user(`[{"type":"image"}]`, ""), `is of type "image"`},
		{"a tool's result", a, user(`[{"type":"tool_result","content":"x"}]`, ""), `is of type "tool_result"`},
		{"OpenAI's tool's result", o, `{"messages":[{"role":"user","content":"u"},{"role":"tool","tool_call_id":"t","content":"x"}]}`, "messages[1] is not supported: the agent"},
		{"a tool call", o, `{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"t"}]}]}`, "messages[0] is not supported"},
		{"thoughts", a, `{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"x"}]}]}`, `is of type "thinking"`},
		{"a block without text", a, user(`[{"type":"text"}]`, ""), "messages[0].content[0] has no text"},
		{"a system prompt with a picture", a, user(`"a"`, `"system":[{"type":"image"}],`), `system[0] is of type "image"`},
		{"tools", o, user(`"a"`, `"tools":[{"type":"function"}],`), "tools is not supported"},
		{"Anthropic's tools", a, user(`"a"`, `"tools":[{"name":"x"}],`), "tools is not supported"},
		{"servers", a, user(`"a"`, `"mcp_servers":[{"url":"x"}],`), "mcp_servers is not supported"},
		{"a stop word", o, user(`"a"`, `"stop":"x",`), "stop is not supported"},
		{"stop words", a, user(`"a"`, `"stop_sequences":["x"],`), "stop_sequences is not supported"},
		{"several answers", o, user(`"a"`, `"n":2,`), "n other than 1"},
		{"probabilities", o, user(`"a"`, `"logprobs":true,`), "logprobs"},
		{"a format", o, user(`"a"`, `"response_format":{"type":"json_object"},`), "response_format"},
		{"Anthropic's format", a, user(`"a"`, `"output_config":{"format":{"type":"json_schema"}},`), "format is not supported"},
		{"speech", o, user(`"a"`, `"modalities":["text","audio"],`), "modalities"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			_, err := c.api.read([]byte(c.body))
			var f *failure
			is.True(errors.As(err, &f))
			is.Equal(f.status, 400)
			if !strings.Contains(f.message, c.says) {
				t.Errorf("%q does not say %q", f.message, c.says)
			}
		})
	}
}

// What comes from the network does not bring it down.
func FuzzRead(f *testing.F) {
	f.Add([]byte(user(`"a\ud83d"`, "")))
	f.Add([]byte(user(`[{"type":"text","text":"\\\u0041"}]`, `"system":"s",`)))
	f.Add([]byte(`{"messages":[{"role":"user","content":"\u`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, a := range []api{openai{}, anthropic{}} {
			c, err := a.read(body)
			if err == nil {
				render(c.messages)
			} else if f := (*failure)(nil); !errors.As(err, &f) {
				t.Errorf("%q: %v", body, err)
			}
		}
	})
}
