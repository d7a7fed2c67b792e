package transcript

import (
	"strings"
	"time"
)

// Kind says what came of a turn.
type Kind int

const (
	// Empty: the turn has no text, or nothing in it but white space, which
	// 2.1.330 takes for no answer too: it asks again.
	Empty Kind = iota
	// Answer: the final message is whole.
	Answer
	// Truncated: Text is the beginning of an answer that hit a limit.
	Truncated
	// Refused: the model declined. Text is what it said before it stopped.
	Refused
	// Failed: the service failed; see APIError.
	Failed
	// Interrupted: somebody stopped the turn. Text is what was there.
	Interrupted
)

var kindNames = [...]string{"empty", "answer", "truncated", "refused", "failed", "interrupted"}

func (k Kind) String() string { return kindNames[k] }

// Outcome is what came of a turn.
type Outcome struct {
	Kind Kind

	// Text is the text of the final message, all its text blocks in order. A
	// message that went on after it was cut is joined with what was cut. What
	// was said before a tool use is not part of it.
	Text string

	StopReason string // of the final message, as the API gives it; "" for null
	Model      string
	MessageID  string
	Version    string // of the agent

	// Usage is the sum over the turn's messages, each counted once.
	Usage Usage

	// Duration is the agent's own measure; 0 where it wrote none.
	Duration time.Duration

	// APIError is the agent's error message when it ended the turn with one,
	// which it does for Failed, and for most Refused and Truncated turns.
	APIError *APIError

	// Compacted says that the conversation was compacted in mid-turn.
	Compacted bool

	// PendingTools are the tool uses without a result.
	PendingTools []Block
}

// Outcome is what the events so far amount to. It is final when Done.
func (t *Turn) Outcome() Outcome {
	o := Outcome{
		Version:      t.version,
		Duration:     t.duration,
		Compacted:    t.compaction,
		PendingTools: t.PendingTools(),
		APIError:     t.apiError(),
	}
	for _, m := range t.messages {
		o.Usage.InputTokens += m.usage.InputTokens
		o.Usage.OutputTokens += m.usage.OutputTokens
		o.Usage.CacheCreationInputTokens += m.usage.CacheCreationInputTokens
		o.Usage.CacheReadInputTokens += m.usage.CacheReadInputTokens
	}
	if m := t.lastMessage(); m != nil {
		o.StopReason, o.Model, o.MessageID = m.stop, m.model, m.id
		if !m.narrates() {
			o.Text = t.answer()
		}
	}
	o.Kind = t.kind(o)
	return o
}

// answer joins the final message with the cut messages that it continues.
func (t *Turn) answer() string {
	i := len(t.messages) - 1
	for i > 0 && t.messages[i-1].end == EndCut && !t.messages[i-1].narrates() {
		i--
	}
	var b strings.Builder
	for _, m := range t.messages[i:] {
		b.WriteString(m.text())
	}
	return b.String()
}

// apiError is the failure with what only the retries before it tell: 2.1.104
// writes no status in the final line.
func (t *Turn) apiError() *APIError {
	if t.failure == nil {
		return nil
	}
	e := *t.failure
	e.Attempts = t.attempts
	if t.retry != nil {
		if e.Status == 0 {
			e.Status = t.retry.Status
		}
		if e.Type == "" {
			e.Type = t.retry.Type
		}
	}
	return &e
}

func (t *Turn) kind(o Outcome) Kind {
	end := EndUnknown
	if m := t.lastMessage(); m != nil {
		end = m.end
	}
	switch e := o.APIError; {
	case t.interrupt:
		return Interrupted
	case e != nil && (e.end() == EndRefused || e.Status == 0 && end == EndRefused):
		return Refused
	case e != nil && e.end() == EndCut:
		return Truncated
	case e != nil:
		return Failed
	}
	switch end {
	case EndRefused:
		return Refused
	case EndCut, EndFull:
		return Truncated
	}
	if strings.TrimSpace(o.Text) == "" {
		return Empty
	}
	return Answer
}
