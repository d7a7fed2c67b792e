package tuiturn

import (
	"time"

	"github.com/tuiturn/tuiturn/transcript"
)

// A Result is what came of a turn.
type Result struct {
	// Text is the answer: the text of the agent's final message. With an error
	// it is the part that was recorded.
	Text string

	// SessionID is the agent's name for the session, a UUID.
	SessionID string

	// StopReason is why the model stopped, as its API says: "end_turn",
	// "max_tokens", "refusal", …; empty where the agent does not record it.
	StopReason string

	Model string           // that answered
	Usage transcript.Usage // summed over the turn's messages

	Terminal     TerminalKind // Tmux or Pty
	Warm         bool         // the agent stood ready: see Pool
	AgentVersion string       // as the agent records it

	Timings Timings
}

// Timings says where the time of a turn went. Queue, Boot, Submit, Answer and
// Teardown follow each other without a gap, so they add up to Total; those that
// the turn did not come to are zero.
type Timings struct {
	Queue    time.Duration // from the call until the turn was let in
	Boot     time.Duration // until the prompt stands in the agent's input line
	Submit   time.Duration // until the agent has recorded the prompt as its own
	Answer   time.Duration // until the turn's outcome is known
	Teardown time.Duration // until nothing of it is left
	Total    time.Duration
}

// rest adds what nothing was counted for, such as leaving the queue's place, to the
// last part that the turn came to.
func (t *Timings) rest(d time.Duration) {
	for _, part := range []*time.Duration{&t.Teardown, &t.Answer, &t.Submit, &t.Boot} {
		if *part > 0 {
			*part += d
			return
		}
	}
	t.Queue += d
}

// A Trace is a set of callbacks that tell how far a turn is. Any may be nil.
// They are called in order, from the turn's own goroutine, which waits for them.
// They must not call Runner.Close, which waits for the turn. One that panics ends
// the turn, with all that it has started.
type Trace struct {
	Queued    func() // the turn waits for another one to end
	Booting   func() // the agent is about to be started; not called if one stands ready
	Ready     func() // the agent takes a prompt
	Delivered func() // the prompt stands in its input line
	Submitted func() // the agent has recorded the prompt as its own
	Answering func() // the agent has begun to record an answer
	Done      func() // the outcome is known; teardown follows
	Ended     func() // Turn is about to return, whatever came of it
}

// call calls a callback, if there is one.
func call(callback func()) {
	if callback != nil {
		callback()
	}
}
