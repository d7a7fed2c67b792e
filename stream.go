package tuiturn

import (
	"context"
	"iter"
)

// Stream runs a turn as Turn does, and yields the answer in pieces while the agent
// writes. The last Delta has the Result; with it comes the error that Turn would have
// returned. Breaking off the loop cancels the turn, and nobody gets its Result. The loop
// is left when nothing of the turn runs any more.
//
// The turn runs on the loop's goroutine. A slow body does not hold up the agent, but it
// delays the turn's end. Before the last Delta the body must not call Close or
// Interrupt, which wait for the turn: break instead. Each loop over the returned
// sequence runs a turn of its own. OnDelta, if set, is called as well, before the body.
//
// Claude 2.1.152 and later show one line of text at a time, some tenths of a second
// after the model has said it. Earlier versions are streamed message by message.
func (r *Runner) Stream(ctx context.Context, req Request) iter.Seq2[Delta, error] {
	return stream(ctx, req.OnDelta, func(ctx context.Context, onDelta func(Delta)) (*Result, error) {
		req.OnDelta = onDelta
		return r.Turn(ctx, req)
	})
}

// Stream runs a turn as Turn does, and yields the answer in pieces as Runner.Stream
// does, with the same rules. Breaking off the loop interrupts the turn; the conversation
// stays open. The pieces are lines only if Request.OnDelta was set when the conversation
// was opened, otherwise whole messages.
func (c *Conversation) Stream(ctx context.Context, req TurnRequest) iter.Seq2[Delta, error] {
	return stream(ctx, req.OnDelta, func(ctx context.Context, onDelta func(Delta)) (*Result, error) {
		req.OnDelta = onDelta
		return c.Turn(ctx, req)
	})
}

// stream runs a turn inside a loop over its deltas. The turn and the loop's body share
// one goroutine.
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
		if !broken { // after a break only the log has the result
			yield(Delta{Result: res}, err)
		}
	}
}
