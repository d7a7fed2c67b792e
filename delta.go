package tuiturn

import "github.com/tuiturn/tuiturn/transcript"

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
