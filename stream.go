package tuiturn

import (
	"context"
	"iter"

	"github.com/tuiturn/tuiturn/transcript"
)

// A Delta is a piece of what the agent says, while it says it.
//
// The texts of the last Message that is not an Aside, joined, are a prefix of
// Result.Text, and all of it when the turn ends without an error. A turn that
// cannot keep that, because the agent showed something that it did not record,
// ends with a *DivergenceError and with the right Result.Text. A turn that ends
// with another error may have streamed more than Result.Text, which then has what
// was recorded.
//
// With Request.NoTools a message is an aside only if a Stop hook objects to it
// or the agent repeats a refused request by itself.
type Delta struct {
	// Message numbers what the agent says, from 0. The number grows when the
	// agent has said something to its end and then begins anew.
	Message int

	// Text is the next piece of it.
	Text string

	// Aside, which comes without text, says that Message was not the answer:
	// narration before a tool use, or something that the agent went on from.
	Aside bool

	// Result is the turn's, with the last Delta of a Stream and no other.
	Result *Result
}

// A DivergenceError says that what was streamed is not the answer, because the
// agent recorded another text than it had shown. That happens when a connection
// breaks in mid-answer and the agent asks again.
type DivergenceError = transcript.DivergenceError

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
