package transcript

import (
	"strings"
	"time"
)

// Kind is the kind of a turn's outcome.
type Kind int

const (
	// Empty: the turn has no text, or only white space. 2.1.330 takes white space
	// for no answer, too, and asks again.
	Empty Kind = iota
	// Answer: the final message is complete.
	Answer
	// Truncated: the answer hit a limit. Text is its beginning.
	Truncated
	// Refused: the model declined. Text is what the model said before that.
	Refused
	// Failed: the service failed; see APIError.
	Failed
	// Interrupted: somebody stopped the turn. Text is what the model had said.
	Interrupted
)

var kindNames = [...]string{"empty", "answer", "truncated", "refused", "failed", "interrupted"}

// String returns "empty", "answer", "truncated", "refused", "failed" or "interrupted".
// It panics for any other Kind.
func (k Kind) String() string { return kindNames[k] }

// Outcome is the result of a turn.
type Outcome struct {
	Kind Kind

	// Text is the text of the final message: all its text blocks, in order. If the
	// message continues one that was cut, Text has both. Text has nothing that was
	// said before a tool use.
	Text string

	StopReason string // of the final message, as the API calls it; "" for null
	End        End    // how the final message ended
	Model      string
	MessageID  string
	Version    string // of the agent

	// Usage is the sum over the turn's messages. Each message counts once.
	Usage Usage

	// Duration is how long the turn took, as the agent recorded it; 0 if it did not.
	Duration time.Duration

	// APIError is the error with which the agent ended the turn, or nil. Failed
	// turns have one, and most Refused and Truncated turns.
	APIError *APIError

	// Compacted says that the agent compacted the conversation during the turn.
	Compacted bool

	// PendingTools are the tool uses without a result.
	PendingTools []Block
}

// Outcome returns the result of the events so far. It is final when Done.
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
		o.StopReason, o.End, o.Model, o.MessageID = m.stop, m.end, m.model, m.id
		if !m.narrates() {
			o.Text = t.answer()
		}
	}
	o.Kind = t.kind(o)
	return o
}

// answer returns the final message's text behind that of the cut messages which it
// continues.
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

// apiError returns the failure. Its status and type can come from the retries before
// it: 2.1.104 writes no status in the final line.
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
