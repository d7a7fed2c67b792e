package tuiturn

import (
	"time"

	"github.com/tuiturn/tuiturn/transcript"
)

// A Result is the result of a turn.
type Result struct {
	// Text is the answer: the text of the agent's final message. With an error, Text is
	// the part that was recorded.
	Text string

	// SessionID is the agent's name for the session, a UUID.
	SessionID string

	// StopReason is the reason why the model stopped, as its API names it: "end_turn",
	// "max_tokens", "refusal", …; empty if the agent does not record the reason.
	StopReason string

	Model string           // the model that answered
	Usage transcript.Usage // summed over the turn's messages

	Terminal     TerminalKind // Tmux or Pty
	Warm         bool         // an agent that ran already took the prompt: see Pool, Conversation
	AgentVersion string       // as the agent records it

	Timings Timings
}

// Timings says how long each part of a turn took. Queue, Boot, Submit, Answer and
// Teardown follow each other without a gap, so they add up to Total. Parts that the
// turn did not reach are zero.
type Timings struct {
	Queue    time.Duration // from the call until the turn was let in
	Boot     time.Duration // until the prompt is in the agent's input line
	Submit   time.Duration // until the agent has recorded the prompt as its own
	Answer   time.Duration // until the turn's outcome is known
	Teardown time.Duration // until the agent and its files are gone
	Total    time.Duration
}

// rest adds time that belongs to no part, such as the time to leave the queue. It adds
// that time to the last part that the turn reached.
func (t *Timings) rest(d time.Duration) {
	for _, part := range []*time.Duration{&t.Teardown, &t.Answer, &t.Submit, &t.Boot} {
		if *part > 0 {
			*part += d
			return
		}
	}
	t.Queue += d
}

// A Trace is a set of callbacks that report a turn's progress. Any callback may be nil.
// They are called in order, on the goroutine that called Turn, Open or Resume or that
// loops over Stream, which waits for them. They must not call Close or Interrupt, which
// wait for the turn. A callback's panic ends the turn, with everything that the turn has
// started, and reaches the caller of Turn.
type Trace struct {
	Queued    func() // the turn waits until another turn ends
	Booting   func() // the agent is about to start; not called for a ready agent
	Ready     func() // the agent is ready for the prompt
	Delivered func() // the prompt is in the agent's input line
	Submitted func() // the agent has recorded the prompt as its own
	Answering func() // the agent has begun to record an answer
	Done      func() // the outcome is known; teardown follows
	Ended     func() // Turn is about to return, with or without an error
}

// call calls a callback unless it is nil.
func call(callback func()) {
	if callback != nil {
		callback()
	}
}
