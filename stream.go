package tuiturn

import (
	"context"
	"iter"
)

// Stream is Turn for callers that want the answer while it comes. It yields
// pieces of it, and last a Delta with the Result, together with the error that
// Turn would have returned. Breaking off the loop cancels the turn; the loop is
// left when nothing of it runs any more.
//
// The agent is not held up by a slow loop, but the turn's end is.
//
// Claude 2.1.152 and later show a line of text at a time, some tenths of a
// second after the model has said it. Earlier versions are streamed message by
// message.
func (r *Runner) Stream(ctx context.Context, req Request) iter.Seq2[Delta, error] {
	return stream(ctx, req.OnDelta, func(ctx context.Context, onDelta func(Delta)) (*Result, error) {
		req.OnDelta = onDelta
		return r.Turn(ctx, req)
	})
}

// Stream is Turn for callers that want the answer while it comes, as
// Runner.Stream is. Breaking off the loop interrupts the turn; the conversation
// goes on.
func (c *Conversation) Stream(ctx context.Context, req TurnRequest) iter.Seq2[Delta, error] {
	return stream(ctx, req.OnDelta, func(ctx context.Context, onDelta func(Delta)) (*Result, error) {
		req.OnDelta = onDelta
		return c.Turn(ctx, req)
	})
}

// stream runs a turn inside a loop over its deltas: the loop's body is called
// from the turn's own goroutine, which is the loop's.
func stream(ctx context.Context, onDelta func(Delta), turn func(context.Context, func(Delta)) (*Result, error)) iter.Seq2[Delta, error] {
	return func(yield func(Delta, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		broken := false
		res, err := turn(ctx, func(d Delta) {
			if broken {
				return
			}
			if onDelta != nil {
				onDelta(d)
			}
			if broken = !yield(d, nil); broken {
				cancel()
			}
		})
		if !broken { // else the log has what came of it
			yield(Delta{Result: res}, err)
		}
	}
}
