package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

const (
	// mcpServer in the environment makes the test binary an MCP server.
	mcpServer = "TUITURN_MCP_SERVER"

	// mcpTools are the names of its tools, and mcpCalls is a file that gets the id
	// of each call, quoted, as a line.
	mcpTools = "TUITURN_MCP_TOOLS"
	mcpCalls = "TUITURN_MCP_CALLS"
)

// serveMCP offers tools on standard input and output; one, unless told which.
func serveMCP() {
	tools := []any{map[string]any{
		"name": "weather", "description": "Tells the weather.",
		"inputSchema": map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}},
	}}
	if names := os.Getenv(mcpTools); names != "" {
		tools = nil
		for name := range strings.SplitSeq(names, ",") {
			tools = append(tools, map[string]any{
				"name": name, "description": "Does it.", "annotations": map[string]any{"title": strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "_", " ")},
				"inputSchema": map[string]any{"type": "object", "properties": map[string]any{"id": map[string]any{"type": "string"}}},
			})
		}
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var req struct {
			ID     json.RawMessage
			Method string
			Params struct {
				ProtocolVersion string
				Arguments       struct{ ID string }
			}
		}
		if json.Unmarshal(lines.Bytes(), &req) != nil || req.ID == nil {
			continue
		}
		result := map[string]any{}
		switch req.Method {
		case "initialize":
			result["protocolVersion"] = req.Params.ProtocolVersion
			result["capabilities"] = map[string]any{"tools": map[string]any{}}
			result["serverInfo"] = map[string]any{"name": "sky", "version": "1"}
		case "tools/list":
			result["tools"] = tools
		case "": // the answer to a form
			continue
		case "tools/call":
			if file, err := os.OpenFile(os.Getenv(mcpCalls), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
				fmt.Fprintf(file, "%q\n", req.Params.Arguments.ID)
				file.Close()
			}
			if os.Getenv(mcpServer) == "asks" {
				fmt.Println(`{"jsonrpc":"2.0","id":"form","method":"elicitation/create","params":{"message":"Which city?","requestedSchema":{"type":"object","properties":{"city":{"type":"string","title":"City"}},"required":["city"]}}}`)
				continue
			}
			result["content"] = []any{map[string]any{"type": "text", "text": "It rains."}}
		}
		b, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": req.ID, "result": result})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", b)
	}
}

// sky is the configuration of a server that is the test binary, with this
// environment.
func sky(t *testing.T, env map[string]string) string {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	config, err := json.Marshal(map[string]any{"mcpServers": map[string]any{
		"sky": map[string]any{"command": self, "env": env},
	}})
	must(t, err)
	return string(config)
}

// TestMCP has the agent use a tool of a server's. None of the versions waits for
// servers with its first prompt, and 2.1.330 has none there yet.
func TestMCP(t *testing.T) {
	t.Parallel()
	config := sky(t, map[string]string{mcpServer: "1"})
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !itsTurn(1, version, terminal) {
			return
		}
		is := is.New(t)
		h := newHost(t, version, terminal)
		var asked []string
		work := h.workDir(t)
		api := standin.Start(func(r standin.Request) standin.Reply {
			switch {
			case r.IsTitle():
				return standin.TitleReply
			case len(r.ToolResults()) > 0:
				return standin.Reply{Text: "I looked."}
			case strings.Contains(string(r.Body), `"name":"mcp__sky__weather"`): // it is offered
				return standin.Reply{Tools: []standin.ToolUse{{Name: "mcp__sky__weather", Input: map[string]string{"city": "Paris"}}}}
			}
			return standin.Reply{Text: "I have no tool."}
		})
		defer api.Close()
		ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
		defer cancel()
		talk, err := h.runner.Open(ctx, tuiturn.Request{
			WorkDir: work, Env: []string{"ANTHROPIC_BASE_URL=" + api.URL},
			Tools: []string{}, MCPConfig: config,
			OnPermission: func(_ context.Context, req tuiturn.PermissionRequest) (tuiturn.Decision, error) {
				asked = append(asked, req.Tool)
				return allow, nil
			},
		})
		is.NoErr(err)
		for {
			res, err := talk.Turn(ctx, tuiturn.TurnRequest{Prompt: "How is the weather?"})
			is.NoErr(err)
			if res.Text == "I looked." {
				break
			}
		}
		is.NoErr(talk.Close())
		is.Equal(asked, []string{"mcp__sky__weather"})
		is.True(slices.ContainsFunc(api.Requests(), func(r standin.Request) bool { return strings.Contains(string(r.Body), "It rains.") }))
	})
}

// TestMCPForm has a server ask for something in mid-call. Nobody is there to fill in
// its form.
func TestMCPForm(t *testing.T) {
	t.Parallel()
	config := sky(t, map[string]string{mcpServer: "asks"})
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !itsTurn(1, version, terminal) {
			return
		}
		is := is.New(t)
		h := newHost(t, version, terminal)
		writeFile(t, filepath.Join(h.home, ".claude", "settings.json"), `{"permissions":{"allow":["mcp__sky__weather"]}}`)
		work := h.workDir(t)
		api := standin.Start(func(r standin.Request) standin.Reply {
			switch {
			case r.IsTitle():
				return standin.TitleReply
			case len(r.ToolResults()) > 0:
				return standin.Reply{Text: "I looked."}
			case strings.Contains(string(r.Body), `"name":"mcp__sky__weather"`):
				return standin.Reply{Tools: []standin.ToolUse{{Name: "mcp__sky__weather", Input: map[string]string{"city": "Paris"}}}}
			}
			return standin.Reply{Text: "I have no tool."}
		})
		defer api.Close()
		ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
		defer cancel()
		talk, err := h.runner.Open(ctx, tuiturn.Request{
			WorkDir: work, Env: []string{"ANTHROPIC_BASE_URL=" + api.URL}, Tools: []string{}, MCPConfig: config,
		})
		is.NoErr(err)
		var res *tuiturn.Result
		for err == nil && (res == nil || res.Text == "I have no tool.") {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			res, err = talk.Turn(ctx, tuiturn.TurnRequest{Prompt: "How is the weather?"})
			cancel()
		}
		var e *tuiturn.Error
		is.True(errors.As(err, &e))
		t.Logf("%v after %v\n%s", err, res.Timings.Answer, e.Screen)
		var blocked *tuiturn.BlockedError
		is.True(errors.As(err, &blocked))
		is.NoErr(talk.Close())
	})
}
