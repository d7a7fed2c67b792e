package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A chat is the body of a request, with the fields that both APIs have.
type chat struct {
	model    string
	messages []message
	stream   bool
	usage    bool // a stream is to tell the usage (OpenAI's only)
}

// body reads a request's body to its end. Only after that does net/http notice that
// the client has disconnected. (It does not if the next request has already arrived;
// then the turn goes on until its first text, or until it is over.)
func (s *server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &failure{status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("the body has more than %d bytes: shorten the conversation, or raise -max-body", s.maxBody)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &failure{status: http.StatusRequestTimeout, message: "the request took longer to arrive than -read-timeout"}
	case err != nil:
		return nil, &failure{status: statusGone, message: "the body is incomplete: " + err.Error()}
	}
	return body, nil
}

// decode is json.Unmarshal for a body whose text must come through as it is.
// Package json replaces what is not Unicode.
func decode(body []byte, v any) error {
	if !utf8.Valid(body) {
		return badRequest("the body is not UTF-8")
	}
	if err := json.Unmarshal(body, v); err != nil {
		return badRequest("the body is not the JSON that is expected: %v", err)
	}
	if loneSurrogate(body) {
		return badRequest(`the body holds half a character, a \ud800 to \udfff without its other half: cut texts between characters`)
	}
	return nil
}

// loneSurrogate tells whether valid JSON escapes half of a pair of UTF-16.
func loneSurrogate(body []byte) bool {
	unit := func(b []byte) rune {
		if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
			return 0
		}
		n, _ := strconv.ParseUint(string(b[2:6]), 16, 16)
		return rune(n)
	}
	for {
		i := bytes.IndexByte(body, '\\')
		if i < 0 {
			return false
		}
		body = body[i:]
		switch c := unit(body); {
		case !utf16.IsSurrogate(c):
			body = body[2:]
		case utf16.DecodeRune(c, unit(body[6:])) == utf8.RuneError:
			return true
		default:
			body = body[12:]
		}
	}
}

// A given is a field that the proxy does not use. It is true if the client has set the
// field.
type given bool

func (g *given) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "null", "false", "[]", "{}", `""`, "0":
	default:
		*g = true
	}
	return nil
}

// refuse returns the error for the first of these fields that is given, if any. The
// proxy refuses fields that the agent cannot obey and without which an answer would be
// wrong. It ignores fields that only tune an answer (temperature, max_tokens, …).
func refuse(fields ...refusable) error {
	for _, f := range fields {
		if f.given {
			return badRequest("%s is not supported: %s", f.name, f.why)
		}
	}
	return nil
}

type refusable struct {
	given given
	name  string
	why   string
}

// Reasons for a refusal.
const (
	noTools  = "the agent answers with text and cannot call the client's tools"
	noFormat = "the agent answers with text in a form of its own choice: ask for the form in the prompt"
	noStop   = "the agent cannot stop at a word: cut the answer in the client"
	noMore   = "the proxy gives one answer, as text"
)

// A content is a text: a string, or a list of text blocks, which are joined with
// newlines.
type content struct {
	text    string
	problem string // why it is not a text, to follow its name
}

func (c *content) UnmarshalJSON(b []byte) error {
	*c = content{}
	if b[0] == '"' {
		return json.Unmarshal(b, &c.text)
	}
	var blocks []struct {
		Type string
		Text *string
	}
	if err := json.Unmarshal(b, &blocks); err != nil {
		c.problem = " is neither a string nor a list of blocks"
		return nil
	}
	var texts []string
	for i, block := range blocks {
		switch {
		case block.Type != "text":
			c.problem = fmt.Sprintf("[%d] is of type %q: only text is supported, no images, files or tool results", i, block.Type)
			return nil
		case block.Text == nil:
			c.problem = fmt.Sprintf("[%d] has no text", i)
			return nil
		}
		texts = append(texts, *block.Text)
	}
	c.text = strings.Join(texts, "\n")
	return nil
}

// check returns the error for a content that is not a text. name is the field's name.
func (c *content) check(name string) error {
	switch {
	case c == nil:
		return badRequest("%s is missing", name)
	case c.problem != "":
		return badRequest("%s%s", name, c.problem)
	case strings.Contains(c.text, "\x00"):
		return badRequest("%s holds a NUL character, which no prompt can: remove it", name)
	}
	return nil
}

// A rawMessage is a message as either API has it.
type rawMessage struct {
	Role    string
	Name    string
	Content *content

	// Of OpenAI's.
	Refusal      given
	ToolCalls    given `json:"tool_calls"`
	FunctionCall given `json:"function_call"`
	Audio        given
}

var participant = regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}$`)

// conversation checks messages, whose roles have to be among roles.
func conversation(raw []rawMessage, roles ...string) ([]message, error) {
	var out []message
	user := false
	for i, m := range raw {
		at := fmt.Sprintf("messages[%d]", i)
		role := m.Role
		if role == "developer" {
			role = "system"
		}
		if err := refuse(
			refusable{m.ToolCalls || m.FunctionCall || m.Role == "tool" || m.Role == "function", at, noTools},
			refusable{m.Refusal || m.Audio, at, "only text is"},
		); err != nil {
			return nil, err
		}
		switch {
		case !slices.Contains(roles, m.Role):
			return nil, badRequest("%s.role is %q: use one of %s", at, m.Role, strings.Join(roles, ", "))
		case !participant.MatchString(m.Name):
			return nil, badRequest("%s.name is %q: use up to 64 letters, digits, _ and -", at, m.Name)
		}
		if err := m.Content.check(at + ".content"); err != nil {
			return nil, err
		}
		user = user || role == "user"
		out = append(out, message{role, m.Name, m.Content.text})
	}
	switch {
	case !user:
		return nil, badRequest("messages has no message of the user's")
	case out[len(out)-1].role == "assistant":
		return nil, badRequest("the last message is the assistant's: an answer cannot be begun for the agent")
	}
	return out, nil
}
