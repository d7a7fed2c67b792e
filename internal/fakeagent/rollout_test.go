package fakeagent

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// A report is a line that a hook of the test has appended.
type report struct {
	Event   string `json:"hook_event_name"`
	Session string `json:"session_id"`
	Path    string `json:"transcript_path"`
	Prompt  string `json:"prompt_id"`
	Status  int
	Error   string
}

// reporting makes a settings file whose hooks append to a file, and returns both.
func reporting(t *testing.T) (settings string, reports func() []report) {
	is := is.New(t)
	dir := t.TempDir()
	settings, file := filepath.Join(dir, "settings.json"), filepath.Join(dir, "reports")
	command := `[{"hooks":[{"type":"command","command":"cat >>` + file + `"}]}]`
	is.NoErr(os.WriteFile(settings, []byte(`{"hooks":{"SessionStart":`+command+`,"TurnFailed":`+command+`}}`), 0o600))
	return settings, func() (all []report) {
		b, _ := os.ReadFile(file)
		for line := range strings.Lines(string(b)) {
			var r report
			is.NoErr(json.Unmarshal([]byte(line), &r))
			all = append(all, r)
		}
		return all
	}
}

// items are the lines of a rollout, unwrapped.
func items(t *testing.T, path string) (all []record) {
	is := is.New(t)
	b, err := os.ReadFile(path)
	is.NoErr(err)
	for line := range strings.Lines(string(b)) {
		var wrap rolloutLine
		is.NoErr(json.Unmarshal([]byte(line), &wrap))
		is.Equal(wrap.Type == "session_meta", len(all) == 0) // the first line, and no other
		var r record
		is.NoErr(json.Unmarshal(wrap.Payload, &r))
		all = append(all, r)
	}
	return all
}

// An agent of the second manner names its session itself, and says so before it takes
// a prompt or with the first one. Its log is made with the first.
func TestRollout(t *testing.T) {
	t.Parallel()
	for _, at := range []Stage{AtReady, AtSubmit} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			settings, reports := reporting(t)
			script := Script{Rollout: at, Turns: []Turn{{TornPieces: 2}}}
			r := start(t, script, setup{args: []string{"--settings", settings, "--session-id", someID}}).ready()
			is.Equal(len(reports()) == 1, at == AtReady)
			r.submit("one")
			r.screen("You said: one")
			r.submit("two")
			r.screen("You said: two")
			r.send("\x03\x03")
			r.wait()

			is.Equal(len(reports()), 1) // once in a session
			told := reports()[0]
			is.Equal(told.Event, "SessionStart")
			is.True(told.Session != someID)
			is.True(uuidPattern.MatchString(told.Session))
			is.True(strings.HasPrefix(told.Path, r.home+"/.rollouts/sessions/"))
			is.Equal(conversation(items(t, told.Path)), "user assistant:end_turn system:turn_duration user assistant:end_turn system:turn_duration")
			_, err := os.Stat(filepath.Join(r.home, ".claude", "projects"))
			is.True(os.IsNotExist(err)) // nothing in claude's place

			again := start(t, script, setup{home: r.home, args: []string{"--settings", settings, "--resume", told.Session}}).ready()
			again.submit("three")
			again.screen("You said: three")
			again.send("\x03\x03")
			again.wait()
			is.Equal(reports()[1], told) // the same session
			lines := items(t, told.Path)
			is.Equal(len(only(lines, "user")), 3)
			is.Equal(only(lines, "user")[2].ParentUUID, only(lines, "system")[1].UUID) // a chain across the resumption
		})
	}
}

// An agent of the second manner records no error. A hook tells of it.
func TestRolloutErrors(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	settings, reports := reporting(t)
	r := start(t, Script{Rollout: AtReady, Turns: []Turn{{APIError: &APIError{Status: 403, Retries: 1}}}},
		setup{args: []string{"--settings", settings}}).ready()
	r.submit("one")
	r.screen("API Error: 403")
	r.send("\x03\x03")
	r.wait()
	is.Equal(len(reports()), 2)
	got := reports()[1]
	is.Equal(got.Event, "TurnFailed")
	is.Equal(got.Status, 403)
	is.Equal(got.Error, "authentication_failed")
	is.True(got.Prompt != "")
	is.Equal(conversation(items(t, got.Path)), "user")
}
