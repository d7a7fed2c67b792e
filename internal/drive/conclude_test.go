package drive

import (
	"maps"
	"os"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/transcript"
)

// lone is an agent that reports last that it stops.
type lone struct {
	secretive
	sole bool
}

func (l lone) SoleStop(*agent.Start) bool { return l.sole }

func (l lone) Traits() agent.Traits {
	traits := l.secretive.Traits()
	traits.StopsLast = "2.1.332"
	return traits
}

func stopping(text, prompt string) map[string]any {
	return map[string]any{"hook_event_name": "Stop", "session_id": "theirs", "last_assistant_message": text, "prompt_id": prompt}
}

// By the report of the only Stop hook a turn ends without a summary, and by no other.
func TestTheOnlyStopHookEndsATurn(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*Turn, *lone)
		line    map[string]any // changes of the answer's line
		report  map[string]any
		unnamed bool // the prompt has no id
		torn    bool // the transcript has the beginning of another line
		want    bool
	}{
		"the only one":                   {want: true},
		"another one may run by now":     {change: func(_ *Turn, l *lone) { l.sole = false }},
		"another one was there":          {change: func(t *Turn, _ *lone) { t.sole = false }},
		"the answer is streamed":         {change: func(t *Turn, _ *lone) { t.OnDelta = func(transcript.Delta) {} }},
		"the version stops first":        {line: map[string]any{"version": "2.1.330"}},
		"another prompt's":               {report: stopping("it", "earlier")},
		"a prompt's that has no name":    {report: stopping("it", "")},
		"no prompt has a name":           {unnamed: true, report: stopping("it", "")},
		"another text":                   {report: stopping("this", "p")},
		"another session's":              {report: map[string]any{"hook_event_name": "Stop", "session_id": "another", "last_assistant_message": "it", "prompt_id": "p"}},
		"a line is still to be read":     {torn: true},
		"no message has a stop reason":   {line: map[string]any{"message": map[string]any{"id": "m", "role": "assistant", "content": []any{map[string]any{"type": "text", "text": "it"}}}}},
		"the text is of the turn before": {line: map[string]any{"parentUuid": "before"}, report: stopping("it", "before")},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			turn, path := newSecretive(t)
			l := lone{sole: true}
			turn.sole = true
			if c.change != nil {
				c.change(turn, &l)
			}
			turn.Agent = l
			turn.know("theirs", path)
			defer turn.follow(t.Context())()

			prompt, answer, report := promptLine("hello", "p"), answerLine("it"), stopping("it", "p")
			prompt["version"], answer["version"] = "2.1.332", "2.1.332"
			maps.Copy(answer, c.line)
			if c.unnamed {
				delete(prompt, "promptId")
			}
			if c.report != nil {
				report = c.report
			}
			appendTo(t, path, prompt, answer)
			hears(t, turn, func() bool { return turn.log.Outcome().Text == "it" })
			if c.torn {
				f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
				is.NoErr(err)
				_, err = f.WriteString(`{"type":`)
				is.NoErr(err)
				defer f.Close()
				defer func() {
					_, err = f.WriteString(`"new"}` + "\n")
					is.NoErr(err)
					hears(t, turn, turn.log.Done)
				}()
			}
			appendTo(t, turn.hooksFile(), report)
			hears(t, turn, func() bool { return turn.lastSaid != "" })
			is.Equal(turn.log.Done(), c.want)
		})
	}
}

// The report may be heard before the lines, and the turn ends with the last of them.
func TestTheOnlyStopHookMayBeHeardFirst(t *testing.T) {
	is := is.New(t)
	turn, path := newSecretive(t)
	turn.Agent, turn.sole = lone{sole: true}, true
	turn.know("theirs", path)
	defer turn.follow(t.Context())()
	appendTo(t, turn.hooksFile(), stopping("it", "p"))
	hears(t, turn, func() bool { return turn.stops.Body != nil })
	is.True(!turn.log.Done())
	answer, more := answerLine("it"), answerLine("it")
	answer["version"], more["version"], more["uuid"], more["parentUuid"] = "2.1.332", "2.1.332", "b", answer["uuid"]
	more["message"].(map[string]any)["usage"] = map[string]any{"output_tokens": 7}
	appendTo(t, path, promptLine("hello", "p"), answer, more)
	hears(t, turn, turn.log.Done)
	is.Equal(turn.Outcome().Usage.OutputTokens, int64(7))
}

// A command that was a prompt may have added a hook, also for the turns behind it.
func TestACommandMayAddAStopHook(t *testing.T) {
	is := is.New(t)
	turn, _ := newSecretive(t)
	turn.sole = true
	turn.newLog()
	is.True(turn.sole)
	turn.Prompt = agent.Prompt{Text: "/hooks", Put: "/hooks", Commands: true}
	turn.newLog()
	turn.Prompt = agent.Prompt{Text: "hello"}
	turn.newLog()
	is.True(!turn.sole)
}
