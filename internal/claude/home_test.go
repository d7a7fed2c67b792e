package claude

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/agent"
)

// A home that gives a key of ours another meaning is refused.
func TestCheckKeys(t *testing.T) {
	for content, refused := range map[string]bool{
		``: false, `{`: false, `{"bindings":"x"}`: false,
		`{"bindings":[{"context":"Chat","bindings":{"ctrl+e":"chat:externalEditor"}}]}`:        false,
		`{"bindings":[{"context":"Chat","bindings":{"ctrl+g":"chat:externalEditor"}}]}`:        false,
		`{"bindings":[{"context":"Chat","bindings":{"ctrl+g":null}}]}`:                         true,
		`{"bindings":[{"context":"Chat","bindings":{"Control+G":"chat:newline"}}]}`:            true,
		`{"bindings":[{"context":"Chat","bindings":{"ctrl+g ctrl+g":"chat:externalEditor"}}]}`: true,
		`{"bindings":[{"context":"Chat","bindings":{"return":"chat:newline"}}]}`:               true,
		`{"bindings":[{"context":"Chat","bindings":{"esc":null}}]}`:                            true,
		`{"bindings":[{"context":"Chat","bindings":{"shift+enter":"chat:newline"}}]}`:          false,
		`{"bindings":[{"context":"Chat","bindings":{"ctrl+u":null}}]}`:                         false,
		`{"bindings":[{"context":"Confirmation","bindings":{"escape":"confirm:yes"}}]}`:        true,
		`{"bindings":[{"context":"Select","bindings":{"escape":"select:cancel"}}]}`:            false,
		`{"bindings":[{"context":"Select","bindings":{"enter":null}}]}`:                        false,
		`{"bindings":[{"context":"Help","bindings":{"escape":"x"}}]}`:                          false,
	} {
		t.Run(content, func(t *testing.T) {
			is := is.New(t)
			s := &agent.Start{Home: t.TempDir()}
			is.NoErr(checkKeys(s)) // no file
			is.NoErr(os.Mkdir(filepath.Join(s.Home, ".claude"), 0o700))
			is.NoErr(os.WriteFile(filepath.Join(s.Home, ".claude", "keybindings.json"), []byte(content), 0o600))
			err := checkKeys(s)
			is.Equal(err != nil, refused)
			is.True(err == nil || strings.Contains(err.Error(), "keybindings.json") && strings.Contains(err.Error(), "remove"))
		})
	}
}

// What a home's settings say in "env" replaces the environment, so ours are settings, too;
// a caller's replace ours, but not those that close a way to the agent.
func TestSettingsRepeatTheEnvironment(t *testing.T) {
	is := is.New(t)
	launch, err := Claude{}.Launch(&agent.Start{
		Home: t.TempDir(), Dir: "/turn", Tmp: "/turn/t", Reach: []string{"VISUAL=/bin/sh /turn/editor"},
		Env: []string{"CLAUDE_CODE_MAX_RETRIES=10", "CLAUDE_CODE_DISABLE_CRON=0", "SECRET=x"},
	})
	is.NoErr(err)
	var settings struct{ Env map[string]string }
	is.NoErr(json.Unmarshal([]byte(launch.Files[0].Content), &settings))
	is.Equal(settings.Env["VISUAL"], "/bin/sh /turn/editor")
	is.Equal(settings.Env["CLAUDE_CODE_MAX_RETRIES"], "10")
	is.Equal(settings.Env["CLAUDE_CODE_DISABLE_CRON"], "1")
	is.Equal(settings.Env["SECRET"], "")
	for _, kv := range launch.Env {
		name, value, _ := strings.Cut(kv, "=")
		is.True(settings.Env[name] == value || name == "CLAUDE_CODE_MAX_RETRIES")
	}
}
