// Package drive runs one terminal agent in one terminal: it starts the agent, hands
// prompts over, and follows what the agent records, reports and shows until each turn
// has an outcome. It names no agent, and knows nothing of queues and pools.
package drive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/hook"
	"github.com/tuiturn/tuiturn/transcript"
)

// A Stage is how far a turn has come.
type Stage int

const (
	Ready     Stage = iota // the agent takes a prompt
	Delivered              // the prompt stands in its input line
	Entering               // the prompt is taken, or not: submitting is over
	Submitted              // the agent has recorded the prompt as its own
	Answering              // the agent has begun to record an answer
	Answered               // waiting for the answer is over
	Done                   // the outcome is known
)

// A Turn is one prompt of an agent that stands ready, and its answer.
type Turn struct {
	*Pane
	Prompt agent.Prompt // Put and Pasted are the Turn's to set

	OnDelta     func(transcript.Delta) // nil: nobody asks for them
	Decide      Decider                // nil: nobody decides
	Reached     func(Stage)
	Resubmitted func() // Enter was pressed again

	ear    ear
	log    *transcript.Turn
	deltas *transcript.Deltas // nil: nobody asks for them

	entered   enter            // zero: Enter has not been pressed
	stopping  bool             // the agent's Stop hooks run
	lastSaid  string           // what it had said then
	stops     transcript.Event // the report of that, until it is added to the log; see conclude
	questions []*hook.Question // that the agent asks and nobody has decided, in the order of their reports
	asking    int              // counts those that have been reported
	settled   bool             // the agent has ended the turn

	halted     *transcript.HookOutput // by which a hook has stopped the turn
	unrecorded string                 // what is known of an end that nobody has recorded
	failures   []failure              // that hooks have reported

	// Of a session with several turns: where this one begins in the transcript, or
	// ends once it is no longer followed, and the ids of the turn before and of this
	// one.
	offset    int64
	past, ids map[string]bool
	overdue   overdue

	screen string // redacted, set when it can explain a failure
}

// Disarm makes the prompt fit to be put in. left is what earlier prompts have left
// in the input line.
func (t *Turn) Disarm(a agent.Agent, left []string) (err error) {
	t.Prompt.Put, err = a.Disarm(&t.Prompt, left)
	return err
}

// Screen is the last screen, where it tells more than the turn's error does.
func (t *Turn) Screen() string { return t.screen }

// Outcome is what the transcript has told so far.
func (t *Turn) Outcome() transcript.Outcome {
	if t.log == nil {
		return transcript.Outcome{}
	}
	return t.log.Outcome()
}

// Run takes an agent that stands ready through its only turn. op names the part that
// failed.
func (t *Turn) Run(ctx context.Context) (op string, err error) {
	stop := t.follow(ctx)
	defer stop()
	return t.talk(ctx)
}

// talk takes the agent through the turn, which is followed.
func (t *Turn) talk(ctx context.Context) (op string, err error) {
	t.Reached(Ready)
	if err := t.handOver(ctx); err != nil {
		return "handing over the prompt", t.explain(ctx, err)
	}
	t.Reached(Delivered)

	err = t.submit(ctx)
	if errors.Is(err, ErrNotAccepted) && t.entered == (enter{}) {
		// Enter was not pressed, for the input line stayed empty. A cleaner of
		// temporary files took what the editor had written before the agent read it.
		t.Log.Warn("the prompt did not reach the input line; it is handed over again", t.LogID())
		if err = t.handOver(ctx); err == nil {
			err = t.submit(ctx)
		}
	}
	t.Reached(Entering)
	if err != nil {
		return "submitting the prompt", t.explain(ctx, err)
	}
	t.Reached(Submitted)

	err = t.answer(ctx)
	t.Reached(Answered)
	if err != nil {
		return "waiting for the answer", t.explain(ctx, err)
	}
	t.settled = true
	t.Reached(Done)
	op, err = t.settle()
	if t.unrecorded != "" || errors.Is(err, ErrNoAnswer) {
		err = t.explain(ctx, err)
	}
	return op, err
}

// handOver is deliver with all the files that it needs, and once more if a cleaner
// took the FIFO before the agent had opened it.
func (t *Turn) handOver(ctx context.Context) error {
	if err := t.mend(); err != nil {
		return err
	}
	err := t.deliver(ctx)
	if errors.Is(err, fs.ErrNotExist) && t.mend() == nil {
		err = t.deliver(ctx)
	}
	return err
}

// explain adds the last screen to the turn's error, where it tells more than the
// error does.
func (t *Turn) explain(ctx context.Context, err error) error {
	if err != nil {
		if b, ok := err.(*BlockedError); ok && t.entered.again() {
			err = b.inTurn()
		}
		asks := blockedKind(err) == question
		t.screen, err = t.Pane.Explain(ctx, err)
		if tools := t.Agent.Traits().AskingTools; asks && len(tools) > 0 {
			err = fmt.Errorf("%w; %s ask", err, strings.Join(tools, " and "))
		}
	}
	return err
}

// pass hands deltas to the caller, and tells whether there were any.
func (t *Turn) pass(deltas []transcript.Delta) bool {
	for _, d := range deltas {
		t.OnDelta(d)
	}
	return len(deltas) > 0
}
