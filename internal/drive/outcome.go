package drive

import (
	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/transcript"
)

// settle returns the turn's error for the transcript's outcome. op names the step that
// failed.
func (t *Turn) settle() (op string, err error) {
	var diverged error
	if t.deltas != nil {
		var rest []transcript.Delta
		rest, diverged = t.deltas.End()
		t.pass(rest)
	}
	o := t.log.Outcome()
	kind := o.Kind
	if t.unrecorded != "" && kind == transcript.Answer {
		kind = transcript.Empty // the agent was to go on from that message
	}
	switch kind {
	case transcript.Answer:
		if diverged != nil {
			return "streaming the answer", diverged
		}
		return "", nil
	case transcript.Truncated:
		err = ErrTruncated
	case transcript.Refused:
		err = ErrRefused
	case transcript.Interrupted:
		err = ErrInterrupted
	case transcript.Failed:
		e := o.APIError
		err = &APIError{Status: e.Status, Type: e.Type, Kind: e.Kind, Message: t.Redactor.Redact(e.Message), Attempts: e.Attempts}
	default:
		err = t.noAnswer(o)
	}
	if diverged != nil {
		err = multierror.Append(err, diverged)
	}
	return "answering", err
}
