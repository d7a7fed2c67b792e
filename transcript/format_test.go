package transcript_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
)

// rollouts is the format of an agent that there is not. It resembles codex: the
// agent names its sessions and files itself, and its lines name no line before them.
var rollouts = &transcript.Format{
	Dir: func(home string) string { return filepath.Join(home, ".rollouts", "sessions") },
	Name: func(file string) (string, bool) {
		m := rolloutName.FindStringSubmatch(file)
		if m == nil {
			return "", false
		}
		return m[1], true
	},
	Decode: decodeRollout,
	Report: transcript.Claude().Report, // hooks with claude's names, as codex has
}

var rolloutName = regexp.MustCompile(`^rollout-[0-9T-]{19}-([0-9a-f-]{36})\.jsonl$`)

func decodeRollout(line []byte) transcript.Event {
	ev := transcript.Event{Raw: line, End: int64(len(line)) + 1}
	var l struct {
		Timestamp time.Time
		Type      string
		Payload   struct {
			ID, Type, Message, Name, Arguments string
			CallID                             string `json:"call_id"`
			Milliseconds                       int64  `json:"duration_ms"`
			Error                              *struct{ Message, Info string }
		}
	}
	if err := json.Unmarshal(line, &l); err != nil {
		ev.Body = &transcript.Malformed{Err: err}
		return ev
	}
	ev.Timestamp = l.Timestamp
	switch p := l.Payload; p.Type {
	case "user_message":
		ev.Body = &transcript.User{Text: p.Message, Typed: true}
	case "agent_message":
		ev.Body = &transcript.Assistant{Blocks: []transcript.Block{{Type: "text", Text: p.Message}}}
	case "function_call":
		ev.Body = &transcript.Assistant{End: transcript.EndTools, Blocks: []transcript.Block{
			{Type: "tool_use", ID: p.CallID, Name: p.Name, Input: json.RawMessage(p.Arguments)}}}
	case "function_call_output":
		ev.Body = &transcript.ToolResults{Results: []transcript.ToolResult{{ToolUseID: p.CallID}}}
	case "turn_aborted":
		ev.Body = &transcript.User{Interruption: true}
	case "task_complete":
		ev.Body = &transcript.TurnDuration{Duration: time.Duration(p.Milliseconds) * time.Millisecond}
		if p.Error != nil {
			ev.Body = &transcript.APIError{Kind: p.Error.Info, Message: p.Error.Message, Temporary: p.Error.Info == "usage_limit_exceeded"}
		}
	default:
		ev.Body = &transcript.Unknown{Type: l.Type}
		if l.Type == "session_meta" {
			ev.Body = &transcript.Started{SessionID: l.Payload.ID}
		}
	}
	return ev
}

// rollout makes a session with the turns that the lines tell, and returns its path.
func rollout(t *testing.T, home, id string, lines ...string) string {
	t.Helper()
	path := filepath.Join(rollouts.Dir(home), "2026", "01", "02", "rollout-2026-01-02T03-04-05-"+id+".jsonl")
	is := is.New(t)
	is.NoErr(os.MkdirAll(filepath.Dir(path), 0o700))
	all := append([]string{`{"type":"session_meta","payload":{"id":"` + id + `"}}`}, lines...)
	is.NoErr(os.WriteFile(path, []byte(strings.Join(all, "\n")+"\n"), 0o600))
	return path
}

func event(typ, members string) string {
	return fmt.Sprintf(`{"type":"event_msg","payload":{"type":%q%s}}`, typ, members)
}

var (
	environment = `{"type":"response_item","payload":{"type":"message","role":"user","content":[{"text":"<environment>"}]}}`
	asked       = event("user_message", `,"message":"`+prompt+`"`)
	narrated    = event("agent_message", `,"message":"let me look"`)
	called      = event("function_call", `,"name":"shell","arguments":"{}","call_id":"c1"`)
	returned    = event("function_call_output", `,"call_id":"c1","output":"found"`)
	answered    = event("agent_message", `,"message":"it"`)
	complete    = event("task_complete", `,"duration_ms":66`)
)

func TestFormatFind(t *testing.T) {
	is := is.New(t)
	home := t.TempDir()
	_, err := rollouts.Find(home, session)
	is.True(errors.Is(err, fs.ErrNotExist)) // no sessions yet
	rollout(t, home, "ffffffff-3c1d-4d0e-9d3c-0a6d6c1f9a11")
	_, err = rollouts.Find(home, session)
	is.True(errors.Is(err, fs.ErrNotExist)) // another's only
	_, err = rollouts.Find(home, "../"+session)
	is.True(err != nil && !errors.Is(err, fs.ErrNotExist)) // no session id

	path := rollout(t, home, session)
	touch(t, filepath.Join(rollouts.Dir(home), session+".jsonl")) // no name of a session
	is.NoErr(os.MkdirAll(filepath.Join(rollouts.Dir(home), "x", filepath.Base(path)), 0o700))
	got, err := rollouts.Find(home, session)
	is.NoErr(err)
	is.Equal(got, path)
	got, err = rollouts.FindIn(home, "/anywhere", session)
	is.NoErr(err)
	is.Equal(got, path)

	again := filepath.Join(rollouts.Dir(home), "2026", "01", "03", filepath.Base(path))
	touch(t, again)
	is.NoErr(os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)))
	got, err = rollouts.Find(home, session)
	is.NoErr(err)
	is.Equal(got, again) // the newest

	// A file's name may have no more than the beginning of the id.
	short := *rollouts
	short.Name = func(file string) (string, bool) {
		id, ok := rollouts.Name(file)
		return id[:min(8, len(id))], ok
	}
	got, err = short.Find(home, session)
	is.NoErr(err)
	is.Equal(got, again)
	short.Name = func(string) (string, bool) { return "", true } // not even the beginning
	_, err = short.Find(home, session)
	is.True(errors.Is(err, fs.ErrNotExist))
}

// A nil Format is claude's.
func TestNoFormat(t *testing.T) {
	is := is.New(t)
	home := t.TempDir()
	path := transcript.Path(home, "/w", session)
	w := writer{Path: path}
	is.NoErr(errors.Join(w.Prompt(prompt), w.Answer("it")))
	for _, f := range []*transcript.Format{nil, transcript.Claude()} {
		got, err := f.Find(home, session)
		is.NoErr(err)
		is.Equal(got, path)
		got, err = f.FindIn(home, "/w", session)
		is.NoErr(err)
		is.Equal(got, path)
		var turn transcript.Turn
		for ev, err := range f.Read(path) {
			is.NoErr(err)
			turn.Add(ev)
		}
		is.Equal(turn.Outcome().Text, "it")
	}
	transcript.Claude().Decode = nil // of the copy
	is.True(transcript.Claude().Decode != nil)
}

// Turns and deltas are read from any agent's lines.
func TestFormatTurn(t *testing.T) {
	for _, c := range []struct {
		name   string
		lines  []string
		state  transcript.State
		kind   transcript.Kind
		text   string
		said   string // by the deltas, in the message that is not an aside
		asides []string
	}{
		{"nothing yet", []string{environment}, transcript.Waiting, transcript.Empty, "", "", nil},
		{"works", []string{environment, asked}, transcript.Working, transcript.Empty, "", "", nil},
		{"a tool runs", []string{asked, narrated, called}, transcript.Working, transcript.Empty, "", "", []string{"let me look"}},
		{"answers", []string{environment, asked, answered}, transcript.Resting, transcript.Answer, "it", "it", nil},
		{"has answered", []string{environment, asked, answered, complete}, transcript.Done, transcript.Answer, "it", "it", nil},
		{"has used a tool", []string{asked, narrated, called, returned, answered, complete}, transcript.Done, transcript.Answer, "it", "it", []string{"let me look"}},
		{"fails", []string{asked, event("task_complete", `,"error":{"message":"m","info":"usage_limit_exceeded"}`)}, transcript.Final, transcript.Failed, "", "", nil},
		{"is interrupted", []string{asked, narrated, called, event("turn_aborted", "")}, transcript.Done, transcript.Interrupted, "", "", []string{"let me look"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			path := rollout(t, t.TempDir(), session, c.lines...)
			turn := transcript.Turn{SessionID: session, Prompt: prompt}
			x := consumer{}
			deltas := transcript.NewDeltas(&turn)
			events, err := collect(deadline(t), &transcript.Follower{Path: path, Format: rollouts, Drift: new(transcript.Drift)}, len(c.lines)+1)
			is.NoErr(err)
			is.Equal(events[0].Body, &transcript.Started{SessionID: session})
			for _, ev := range events {
				turn.Add(ev)
				x.take(t, deltas.Next())
			}
			is.Equal(turn.State().String(), c.state.String())
			o := turn.Outcome()
			is.Equal(o.Kind.String(), c.kind.String())
			is.Equal(o.Text, c.text)
			is.Equal(o.Duration > 0, c.state == transcript.Done && c.kind == transcript.Answer)
			is.Equal(o.APIError != nil && o.APIError.Retryable(), c.kind == transcript.Failed)
			is.Equal(x.text, c.said)
			is.Equal(x.asides, c.asides)

			var read []transcript.Event
			for ev, err := range rollouts.Read(path) {
				is.NoErr(err)
				ev.Raw = append([]byte(nil), ev.Raw...)
				read = append(read, ev)
			}
			is.Equal(read, events)
		})
	}
}

// A follower counts what its own format does not know.
func TestFormatDrift(t *testing.T) {
	is := is.New(t)
	path := rollout(t, t.TempDir(), session, asked)
	var d transcript.Drift
	f := transcript.Follower{Path: path, Format: rollouts, Drift: &d}
	_, err := collect(deadline(t), &f, 2)
	is.NoErr(err)
	is.Equal(names(&d), "") // the format says nothing of it

	knowing := *rollouts
	knowing.Drift = func(ev transcript.Event) []string { return []string{fmt.Sprintf("saw %T", ev.Body)} }
	f.Format = &knowing
	_, err = collect(deadline(t), &f, 2)
	is.NoErr(err)
	is.Equal(names(&d), "saw *transcript.Started, saw *transcript.User")
}
