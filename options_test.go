package tuiturn

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

// What cannot be had is refused before an agent is started.
func TestRequestIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		req         Request
		version     string
		unsupported bool
	}{
		"no directory":        {Request{WorkDir: "/nowhere/at/all"}, "", false},
		"tools and no tools":  {Request{NoTools: true, Tools: []string{"Read"}}, "", false},
		"a tool with a comma": {Request{Tools: []string{"Read,Bash"}}, "", false},
		"a tool with a rule":  {Request{Tools: []string{"Bash(git *)"}}, "", false},
		"a flag for a tool":   {Request{Tools: []string{"--dangerously-skip-permissions x"}}, "", false},
		"servers, no tools":   {Request{NoTools: true, MCPConfig: `{"mcpServers": {}}`}, "", false},
		"no servers":          {Request{MCPConfig: `{"servers": {}}`}, "", false},
		"another case":        {Request{MCPConfig: `{"mcpservers": {}}`}, "", false},
		"a server's number":   {Request{MCPConfig: `{"mcpServers": {"a": {"command": "x", "args": [1]}}}`}, "", false},
		"servers as a path":   {Request{MCPConfig: "/etc/mcp.json"}, "", false},
		"NUL":                 {Request{SystemPrompt: "a\x00b"}, "", false},
		"no effort":           {Request{Effort: "some"}, "", false},
		"a later effort":      {Request{Effort: "xhigh"}, "2.1.110", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			s := newStage(t, Pty, fakeagent.Script{Version: c.version})
			c.req.Prompt = "hello"
			c.req.Trace = &Trace{Booting: func() { t.Error("the agent is started") }}
			_, err := s.turn(t.Context(), c.req)
			is.True(err != nil)
			is.Equal(errors.Is(err, errors.ErrUnsupported), c.unsupported)
		})
	}
}

func TestOptionsReachTheAgent(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{Version: "2.1.111"})
	var cfg []string
	s.Agent = recording{s.Agent.(Claude), func(l *agent.Launch) {
		cfg = l.Args
		is.True(slices.ContainsFunc(l.Files, func(f agent.File) bool { return f.Content == "Be brief." }))
	}}
	_, err := s.turn(t.Context(), Request{Prompt: "hello", SystemPrompt: "Be brief.", Effort: "xhigh", Tools: []string{"Read", "TaskStop"}})
	is.NoErr(err)
	args := strings.Join(cfg, " ")
	is.True(strings.Contains(args, "--tools Read,TaskStop --disallowedTools "))
	is.True(!strings.Contains(args[strings.Index(args, "--disallowedTools"):], "TaskStop"))
	is.True(strings.Contains(args, "--effort xhigh"))
	is.True(!strings.Contains(args, "Be brief.")) // it is nobody's business
}

// recording is claude with its arguments looked at.
type recording struct {
	Claude
	look func(*agent.Launch)
}

func (r recording) agent() agent.Agent { return launcher{r.Claude.agent(), r.look} }
