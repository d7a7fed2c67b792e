package claude

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn/internal/agent"
)

// Only where nothing can register a hook, and no tool can write a report, is ours the only
// one.
func TestSoleStop(t *testing.T) {
	defer func(before []string) { administrators = before }(administrators)
	write := func(name, content string) func(*is.I, *agent.Start) {
		return func(is *is.I, s *agent.Start) {
			path := filepath.Join(s.Home, name)
			is.NoErr(os.MkdirAll(filepath.Dir(path), 0o700))
			is.NoErr(os.WriteFile(path, []byte(content), 0o600))
		}
	}
	set := func(f func(*agent.Start)) func(*is.I, *agent.Start) {
		return func(_ *is.I, s *agent.Start) { f(s) }
	}
	for name, c := range map[string]struct {
		change func(*is.I, *agent.Start)
		want   bool
	}{
		"a new home":                    {set(func(*agent.Start) {}), true},
		"settings without hooks":        {write(".claude/settings.json", `{"theme":"dark","env":{"A":"b"}}`), true},
		"hooks":                         {write(".claude/settings.json", `{"hooks":{"Stop":[]}}`), false},
		"a plugin":                      {write(".claude/settings.json", `{"enabledPlugins":{"a@b":true}}`), false},
		"a setting that is new":         {write(".claude/settings.json", `{"hooksFrom":"https://example.com"}`), false},
		"malformed settings":            {write(".claude/settings.json", `{`), false},
		"settings that are a directory": {write(".claude/settings.json/x", ``), false},
		"settings that are a FIFO": {func(is *is.I, s *agent.Start) {
			is.NoErr(os.Mkdir(filepath.Join(s.Home, ".claude"), 0o700))
			is.NoErr(unix.Mkfifo(filepath.Join(s.Home, ".claude", "settings.json"), 0o600))
		}, false},
		"settings without an end": {func(is *is.I, s *agent.Start) {
			is.NoErr(os.Mkdir(filepath.Join(s.Home, ".claude"), 0o700))
			is.NoErr(os.Symlink("/dev/zero", filepath.Join(s.Home, ".claude", "settings.json")))
		}, false},
		"a server's settings": {write(".claude/remote-settings.json", `{}`), false},
		"an administrator":    {write("etc/managed-settings.json", `{}`), false},
		"an empty directory of skills": {func(is *is.I, s *agent.Start) {
			is.NoErr(os.MkdirAll(filepath.Join(s.Home, ".claude", "skills"), 0o700))
		}, true},
		"the agent's own plugins": {write(".claude/plugins/store/a.json", ``), true},
		"a plugin beside them": {func(is *is.I, s *agent.Start) {
			write(".claude/plugins/store/a.json", ``)(is, s)
			write(".claude/plugins/cache/b.json", ``)(is, s)
		}, false},
		"a skill":                           {write(".claude/skills/a/SKILL.md", ``), false},
		"an agent":                          {write(".claude/agents/a.md", ``), false},
		"a project":                         {set(func(s *agent.Start) { s.AllowProject = true }), false},
		"a resumed session":                 {set(func(s *agent.Start) { s.Resume = true }), false},
		"tools":                             {set(func(s *agent.Start) { s.NoTools = false }), false},
		"a server's tools":                  {set(func(s *agent.Start) { s.MCPConfig = "{}" }), false},
		"a variable that may name settings": {set(func(s *agent.Start) { s.Env = []string{"CLAUDE_CODE_X=/y"} }), false},
		"a variable for something else":     {set(func(s *agent.Start) { s.Env = []string{"ANTHROPIC_BASE_URL=x"} }), true},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s := &agent.Start{Home: t.TempDir(), NoTools: true}
			administrators = []string{filepath.Join(s.Home, "etc")}
			c.change(is, s)
			is.Equal(soleStop(s), c.want)
		})
	}
}

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
			path := filepath.Join(s.Home, ".claude", "keybindings.json")
			is.NoErr(unix.Mkfifo(path, 0o600)) // by a tool of an earlier turn
			is.True(checkKeys(s) != nil)
			is.NoErr(os.Remove(path))
			is.NoErr(os.WriteFile(path, []byte(content), 0o600))
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
		Env: []string{"CLAUDE_CODE_DISABLE_AGENT_VIEW=0", "CLAUDE_CODE_DISABLE_CRON=0", "SECRET=x"},
	})
	is.NoErr(err)
	var settings struct{ Env map[string]string }
	is.NoErr(json.Unmarshal([]byte(launch.Files[0].Content), &settings))
	is.Equal(settings.Env["VISUAL"], "/bin/sh /turn/editor")
	is.Equal(settings.Env["CLAUDE_CODE_DISABLE_AGENT_VIEW"], "0")
	is.Equal(settings.Env["CLAUDE_CODE_DISABLE_CRON"], "1")
	is.Equal(settings.Env["SECRET"], "")
	for name, value := range settings.Env {
		is.True(name == "VISUAL" || name == "CLAUDE_CODE_DISABLE_AGENT_VIEW" || slices.Contains(launch.Env, name+"="+value))
	}
	for _, name := range []string{"TMPDIR", skipHistory, screenReader} {
		_, set := settings.Env[name]
		is.True(set)
	}
	// A home may want another number, and may want to report its errors.
	for _, name := range []string{"CLAUDE_CODE_MAX_RETRIES", "DISABLE_ERROR_REPORTING"} {
		_, set := settings.Env[name]
		is.True(!set)
	}
}
