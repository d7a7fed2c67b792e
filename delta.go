package tuiturn

import "github.com/tuiturn/tuiturn/transcript"

// A Delta is a piece of what the agent says, streamed while the agent writes.
//
// Join the Text of all Deltas with the last Message number that is not an aside. The
// result is a prefix of Result.Text, and all of it if the turn ends without an error.
// Sometimes the agent shows text that it does not record. The turn then ends with a
// *DivergenceError, and Result.Text is right. A turn with another error may have
// streamed more than Result.Text, which holds what was recorded.
//
// With Request.NoTools a message is an aside in two cases only: a Stop hook objects to
// it, or the agent repeats a refused request by itself.
type Delta struct {
	// Message is the number of the agent's message, from 0. The number grows when the
	// agent has completed a message and begins another one.
	Message int

	// Text is the next piece of the message.
	Text string

	// Aside says that Message is not the answer. It is narration before a tool use, or
	// a message after which the agent went on. A Delta with Aside has no Text.
	Aside bool

	// Result is the turn's result. Only the last Delta of a Stream has it.
	Result *Result
}

// A DivergenceError says that the streamed text is not the answer: the agent recorded
// another text than it showed. That happens when a connection breaks during an answer
// and the agent retries the request.
type DivergenceError = transcript.DivergenceError
