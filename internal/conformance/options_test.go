package conformance

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
)

// TestOptions looks for what a Request asks for in what the agent sends.
func TestOptions(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !itsTurn(0, version, terminal) {
			return
		}
		is := is.New(t)
		h := newHost(t, version, terminal)
		x := h.turn(t, t.Context(), tuiturn.Request{
			Prompt:       "Hello?",
			Tools:        []string{"Read", "Grep"},
			SystemPrompt: "Speak like a pirate.\nAlways.",
			Effort:       "low",
		}, say("Arr."))
		is.NoErr(x.err)
		var sent struct {
			System json.RawMessage
			Tools  []struct{ Name string }
			Output struct{ Effort string } `json:"output_config"`
		}
		is.NoErr(json.Unmarshal(x.asked()[0].Body, &sent))
		var tools []string
		for _, tool := range sent.Tools {
			tools = append(tools, tool.Name)
		}
		slices.Sort(tools)
		is.Equal(tools, []string{"Grep", "Read"})
		is.True(strings.Contains(string(sent.System), `Speak like a pirate.\nAlways.`))
		is.Equal(sent.Output.Effort, "low")

		_, err := h.runner.Turn(t.Context(), tuiturn.Request{Prompt: "Hello?", Effort: "xhigh", WorkDir: h.workDir(t), Env: []string{"ANTHROPIC_BASE_URL=http://127.0.0.1:9", "CLAUDE_CODE_MAX_RETRIES=0"}, NoTools: true, Trace: &tuiturn.Trace{
			Booting: func() {
				if version == "2.1.104" {
					t.Error("the agent is started")
				}
			},
		}})
		is.Equal(errors.Is(err, errors.ErrUnsupported), version == "2.1.104")
	})
}
