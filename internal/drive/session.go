package drive

import (
	"context"
	"errors"
	"fmt"
)

// A Session is what the turns of one agent hand on to each other. One turn runs at a
// time.
type Session struct {
	offset int64           // where the next turn begins in the transcript
	past   map[string]bool // ids of the turn before
	left   []string        // what prompts have left in the input line: see agent.Agent.Leaves
	owed   []owed          // see overdue
}

// Skip begins the session where its transcript has ended.
func (s *Session) Skip(transcript string) { s.offset = FileSize(transcript) }

// Speak takes the agent through its next turn, and makes it ready for the one after.
// back ends when the agent is not waited for any more. op names the part that failed;
// over tells why there will be no other turn.
func (s *Session) Speak(ctx, back context.Context, t *Turn) (op string, err, over error) {
	if err := t.Disarm(t.Agent, s.left); err != nil {
		return "reading the prompt", err, nil
	}
	if op, err := t.Recheck(ctx); err != nil {
		return op, err, nil
	}
	t.offset, t.past, t.ids = s.offset, s.past, make(map[string]bool)
	t.overdue.owed = s.owed
	given := false // the prompt, or a part of it, may have come to the input line
	stop := t.follow(ctx)
	defer func() {
		stop()
		s.after(t, given)
	}()
	if err = t.greet(ctx); err != nil {
		op, err = "waiting for the agent to take a prompt", t.explain(ctx, Cause(ctx, err))
	} else {
		given = true
		op, err = t.talk(ctx)
	}
	switch {
	case t.settled:
		return op, err, nil
	case errors.Is(err, ErrClosed):
		return op, err, ErrClosed
	}
	if failed := t.comeBack(back); failed != nil {
		over = fmt.Errorf("%w: %w", ErrEnded, failed)
		if _, exited := errors.AsType[*ExitError](err); !exited {
			err = fmt.Errorf("%w; %w", err, over)
		}
		return op, err, over
	}
	return op, err, nil
}

// after keeps what the next turn has to know of t.
func (s *Session) after(t *Turn, given bool) {
	if id := t.log.PromptID(); id != "" {
		t.ids[id] = true
	}
	s.offset, s.past, s.owed = t.offset, t.ids, t.owes()
	if t.settled {
		s.left = nil
	} else if left, ok := t.Agent.Leaves(&t.Prompt); ok && given {
		s.left = append(s.left, left)
	}
}
