package conformance

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
)

// TestHomeSettings: an operator's own settings, which are in the home, ask for another
// screen, other keys and other variables than a turn needs. The prompt still arrives
// exactly, through the editor, and the answer comes from the transcript.
func TestHomeSettings(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, file, content string }{
		{"variables", ".claude/settings.json",
			`{"env":{"VISUAL":"vi","EDITOR":"vi","TUITURN_HOOKS":"/dev/null","TMPDIR":"/none","CLAUDE_CODE_SKIP_PROMPT_HISTORY":"1","CLAUDE_AX_SCREEN_READER":"1","CLAUDE_CODE_DISABLE_CRON":"0"}}`},
		{"a screen reader, vim and a status line", ".claude/settings.json",
			`{"axScreenReader":true,"editorMode":"vim","statusLine":{"type":"command","command":"echo '> one'; echo ────────────────────────────────; echo '❯ two'"}}`},
		{"the whole screen", ".claude/settings.json", `{"tui":"fullscreen","keybindingFlavor":"readline","env":{"CLAUDE_CODE_NO_FLICKER":"1"}}`},
		{"preferences", ".claude.json", `{"externalEditorContext":true,"editorMode":"vim","verbose":true,"showMessageTimestamps":true}`},
	}
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		for i, c := range cases {
			if !itsTurn(i, version, terminal) {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				h := newHost(t, version, terminal)
				writeFile(t, filepath.Join(h.home, c.file), c.content)
				x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "one\ttab"}, say("It is 42."))
				is.NoErr(x.err)
				is.Equal(x.res.Text, "It is 42.")
				asked := x.asked()
				is.Equal(len(asked), 1)
				is.True(strings.Contains(asked[0].Prompt(), "one\ttab"))
			})
		}
	})
}
