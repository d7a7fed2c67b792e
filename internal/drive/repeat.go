package drive

import (
	"context"
	"fmt"
	"time"

	"github.com/tuiturn/tuiturn/transcript"
)

// A repeat is a failed request that the agent has recorded and will retry.
//
// The service decides how long the agent waits, by Retry-After. 2.1.104 to 2.1.332 wait
// 20 s and 60 s, and give up at once on an hour.
type repeat struct {
	retry *transcript.APIRetry
	due   time.Time
}

// tooLate returns an error if the agent retries its request only after ctx's deadline:
// no answer can come before.
func (r *repeat) tooLate(ctx context.Context, t *Turn) error {
	retry := t.log.Retrying()
	if retry == nil {
		return nil
	}
	if retry != r.retry {
		*r = repeat{retry, time.Now().Add(retry.Delay)}
	}
	if deadline, ok := ctx.Deadline(); !ok || !deadline.Before(r.due) {
		return nil
	}
	return fmt.Errorf("the agent retries a failed request in %v, which is after the deadline of ctx: %w",
		retry.Delay.Round(time.Second), t.failed(retry))
}

// repeats returns the failure that the screen shows while the agent waits for a retry.
// Versions after 2.1.158 do not record it. A model can draw the same, so the text
// explains an error and decides nothing.
func (t *Turn) repeats(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	screen, err := t.term.Screen(ctx)
	if err != nil {
		return nil
	}
	notes := t.Agent.Explain(screen)
	if notes.Retry == "" {
		return nil
	}
	return &APIError{Message: t.Redactor.Redact(notes.Retry), Attempts: notes.Attempt}
}
