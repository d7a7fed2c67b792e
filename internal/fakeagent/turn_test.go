package fakeagent

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// Each manner of a turn by the lines it leaves.
func TestTurns(t *testing.T) {
	yes := "\r"
	for _, tt := range []struct {
		name   string
		turn   Turn
		keys   string // pressed once the screen shows "at"
		at     string
		want   string
		check  func(is *is.I, rs []record)
		noAuth bool
		endsBy string // the kind of the last line, where no last-prompt line comes
	}{
		{
			name: "text and stop reason", turn: Turn{Text: "so be it", StopReason: "max_tokens", NoDuration: true},
			want: "user assistant:max_tokens",
			check: func(is *is.I, rs []record) {
				is.Equal(only(rs, "assistant")[0].text(), "so be it")
			},
		},
		{name: "no stop reason", turn: Turn{StopReason: "null"}, want: "user assistant system:turn_duration"},
		{name: "refusal", turn: Turn{StopReason: "refusal"}, want: "user assistant:refusal system:turn_duration"},
		{
			name: "blocks share an id", turn: Turn{Thinking: "hm", Blocks: []string{"a", "b"}},
			want: "user assistant:end_turn assistant:end_turn assistant:end_turn system:turn_duration",
			check: func(is *is.I, rs []record) {
				as := only(rs, "assistant")
				is.Equal(as[0].text()+as[1].text()+as[2].text(), "hmab")
				is.Equal(as[0].Message.ID, as[1].Message.ID)
				is.Equal(as[1].Message.ID, as[2].Message.ID)
			},
		},
		{
			name: "a large answer", turn: Turn{Size: 200_000},
			want: "user assistant:end_turn system:turn_duration",
			check: func(is *is.I, rs []record) {
				is.Equal(len(only(rs, "assistant")[0].text()), 200_000)
			},
		},
		{
			name: "a tool call", turn: Turn{Tool: &Tool{Narration: "I will look", Command: "ls", Result: "files"}},
			want: "user assistant:tool_use assistant:tool_use user assistant:end_turn system:turn_duration",
			check: func(is *is.I, rs []record) {
				is.Equal(only(rs, "assistant")[0].text(), "I will look")
				is.Equal(only(rs, "user")[1].text(), "files")
			},
		},
		{
			name: "permission granted", turn: Turn{Tool: &Tool{Ask: true}}, at: "Do you want to proceed?", keys: yes,
			want: "user assistant:tool_use user assistant:end_turn system:turn_duration",
		},
		{
			name: "permission refused", turn: Turn{Tool: &Tool{Ask: true}}, at: "Esc to cancel", keys: "\x1b",
			want: "user assistant:tool_use user user", endsBy: "user",
			check: func(is *is.I, rs []record) {
				is.Equal(rs[len(rs)-1].text(), "[Request interrupted by user]")
			},
		},
		{
			name: "an unknown dialog", turn: Turn{UnknownDialog: true}, at: "How is it outside?", keys: yes,
			want: "user assistant:end_turn system:turn_duration",
		},
		{
			name: "a hang, interrupted", turn: Turn{Hang: true, Partial: "half"}, at: "Working", keys: "\x1b",
			want: "user assistant user", endsBy: "user",
		},
		{
			name: "sidechains and noise", turn: Turn{Sidechain: 2, Noise: 1},
			want: "user assistant:side:end_turn assistant:side:end_turn assistant:end_turn system:turn_duration",
			check: func(is *is.I, rs []record) {
				n := only(rs, "api-request-blob")
				is.Equal(len(n), 1)
				is.True(n[0].size > 80_000 && n[0].size < 100_000)
			},
		},
		{
			name: "lines out of order", turn: Turn{Order: []int{2, 1}},
			want: "system:turn_duration assistant:end_turn user",
		},
		{
			name: "no credential", noAuth: true, want: "user assistant:stop_sequence",
			check: func(is *is.I, rs []record) {
				a := only(rs, "assistant")[0]
				is.True(a.IsAPIErrorMessage)
				is.Equal(a.APIErrorStatus, 401)
				is.Equal(a.APIErrorType, "authentication_error")
				is.Equal(a.Error, "authentication_failed")
				is.Equal(a.Message.Model, "<synthetic>")
				is.True(strings.HasPrefix(a.text(), "Please run /login · API Error: 401"))
			},
		},
		{
			name: "an error after retries", turn: Turn{APIError: &APIError{Status: 529, Retries: 2}},
			want: "user system:api_error system:api_error assistant:stop_sequence",
			check: func(is *is.I, rs []record) {
				is.Equal(only(rs, "system")[1].RetryAttempt, 2)
				is.Equal(only(rs, "assistant")[0].APIErrorType, "overloaded_error")
			},
		},
		{
			name: "retries that recover", turn: Turn{APIError: &APIError{Status: 429, Retries: 1, Recovers: true}},
			want: "user system:api_error assistant:end_turn system:turn_duration",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			r := start(t, Script{Turns: []Turn{tt.turn}}, setup{noAuth: tt.noAuth}).ready()
			r.submit("hi")
			if tt.at != "" {
				r.screen(tt.at)
				r.send(tt.keys)
			}
			var rs []record
			if tt.endsBy != "" {
				rs = r.records(tt.want, func(rs []record) bool { return conversation(rs) == tt.want })
			} else {
				rs = r.over(1)
			}
			is.Equal(conversation(rs), tt.want)
			if tt.check != nil {
				tt.check(is, rs)
			}
		})
	}
}

// A prompt that nothing was said to is given back.
func TestPromptIsTakenBack(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{Turns: []Turn{{Hang: true}, {}}}, setup{}).ready()
	r.submit("hi")
	r.screen("Working")
	r.send("\x1b")
	r.screen("❯\u00a0hi")
	r.send("\r")
	is.Equal(conversation(r.over(1)), "user user assistant:end_turn system:turn_duration")
}

func TestTranscriptCanBeLateAndTorn(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{Turns: []Turn{
		{WriteDelay: 300 * time.Millisecond},
		{TornPieces: 2, TornPause: 300 * time.Millisecond},
	}}, setup{}).ready()
	r.submit("late")
	r.screen("You said: late") // on screen, and not yet in the file
	_, err := os.Stat(r.transcript())
	is.True(os.IsNotExist(err))
	r.over(1)

	r.submit("torn")
	half := false
	r.records("the answer", func(rs []record) bool {
		b, err := os.ReadFile(r.transcript())
		is.NoErr(err)
		half = half || !strings.HasSuffix(string(b), "\n")
		return len(only(rs, "assistant")) == 2
	})
	is.True(half) // seen with a line without its end
}

func TestPromptsDuringATurnAreQueued(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{Turns: []Turn{{Tool: &Tool{Ask: true}}, {}}}, setup{}).ready()
	r.submit("one")
	r.screen("Do you want")
	r.send("1")
	r.submit("two")
	rs := r.over(2)
	is.Equal(only(rs, "assistant")[2].text(), "You said: two")
}

func TestEndsAtEachStage(t *testing.T) {
	for _, tt := range []struct {
		end   End
		lines string
		torn  bool
	}{
		{end: End{At: AtBoot, Status: 7}},
		{end: End{At: AtReady, Status: 8}},
		{end: End{At: AtSubmit, Status: 9}},
		{end: End{At: AtReceipt, Signal: int(syscall.SIGKILL)}, lines: "user"},
		{end: End{At: AtHalf, Signal: int(syscall.SIGSEGV)}, lines: "user", torn: true},
		{end: End{At: AtAnswer, Signal: int(syscall.SIGTERM)}, lines: "user assistant:end_turn"},
	} {
		t.Run(string(tt.end.At), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			r := start(t, Script{End: &tt.end, Turns: []Turn{{End: &tt.end}}}, setup{})
			if tt.end.At != AtBoot && tt.end.At != AtReady {
				r.ready().submit("x")
			}
			st := r.wait()
			if tt.end.Signal != 0 {
				is.True(st.Signaled())
				is.Equal(int(st.Signal()), tt.end.Signal)
			} else {
				is.Equal(st.ExitStatus(), tt.end.Status)
			}
			b, err := os.ReadFile(r.transcript())
			if tt.lines == "" {
				is.True(os.IsNotExist(err))
				return
			}
			is.Equal(!strings.HasSuffix(string(b), "\n"), tt.torn)
			is.Equal(conversation(r.records("lines", func([]record) bool { return true })), tt.lines)
		})
	}
}

func TestNoTranscript(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{Turns: []Turn{{NoTranscript: true, End: &End{At: AtAnswer, Status: 3}}}}, setup{}).ready()
	r.submit("x")
	is.Equal(r.wait().ExitStatus(), 3)
	_, err := os.Stat(r.transcript())
	is.True(os.IsNotExist(err))
}

func TestHooks(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := t.TempDir()
	settings := filepath.Join(dir, "settings.json")
	one := `[{"hooks":[{"type":"command","command":"cat >> ` + dir + `/log"}]}]`
	is.NoErr(os.WriteFile(settings, []byte(`{"hooks":{"SessionStart":`+one+`,"UserPromptSubmit":`+one+`,"PreToolUse":`+one+`,"Stop":`+one+`}}`), 0o600))
	r := newHome(t, Script{}, setup{})
	id := r.session
	r = start(t, Script{StrictHooks: true, Turns: []Turn{{Tool: &Tool{}}}}, setup{args: []string{"--settings", settings, "--session-id", id}})
	r.session = id
	r.ready().submit("hi")
	r.over(1)
	b, err := os.ReadFile(filepath.Join(dir, "log"))
	is.NoErr(err)
	for _, want := range []string{
		`"hook_event_name":"SessionStart"`, `"prompt":"hi"`, `"tool_name":"Bash"`,
		`"last_assistant_message":"You said: hi"`, `"transcript_path":"` + r.transcript() + `"`,
	} {
		is.True(strings.Contains(string(b), want)) // from one of the hooks
	}
	is.Equal(strings.Count(string(b), "\n"), 4)
}

func TestUnknownHookMakesAStrictAgentDeaf(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	settings := filepath.Join(t.TempDir(), "settings.json")
	is.NoErr(os.WriteFile(settings, []byte(`{"hooks":{"MessageDisplay":[]}}`), 0o600))
	r := start(t, Script{StrictHooks: true}, setup{args: []string{"--settings", settings}}).ready()
	r.send("x\x03\x03")
	is.NoErr(r.cmd.Process.Signal(syscall.SIGTERM))
	is.Equal(r.wait().ExitStatus(), 143) // not 0, by the keys
	r.output("no letter", func(s string) bool { return !strings.Contains(s, "❯\u00a0x") })
}
