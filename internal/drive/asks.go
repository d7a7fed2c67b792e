package drive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/hook"
)

// When the agent asks a person for a permission, it draws a dialog and runs its
// PermissionRequest hook at the same time. The hook gets the tool use as data. The
// hook's output decides on that tool use and on no other. So the hook is both the
// source of the question and the channel for the answer: it reports the question to the
// turn, waits for the host's decision, and prints the decision. The screen only shows
// what a person would see. A text of the model's can change the screen, but cannot
// reach another hook's process. (2.1.104, 2.1.158, 2.1.294, 2.1.330, 2.1.332; of
// subagents, too.)

// asked takes a question that a hook has reported.
func (t *Turn) asked(pid int) {
	q, err := hook.Read(t.dir, pid)
	switch {
	case err != nil:
		t.Log.Warn("cannot read the agent's question", t.LogID(), "error", err)
		return
	case !t.Agent.Asks(q.Tool):
		q.Drop()
		return
	}
	t.questions = append(t.questions, q)
	t.asking++
}

// shown returns the open question that the dialog on the screen is about, or nil if no
// open question has been reported. Most agents ask one question after the other.
// Subagents that ask at the same time have their dialogs in a queue: then shown takes
// the question whose input the dialog shows. A wrong guess only changes the order in
// which the host is asked: a decision always goes to its own question, whatever the
// screen shows.
func (t *Turn) shown(m *agent.Menu) *hook.Question {
	t.questions = slices.DeleteFunc(t.questions, func(q *hook.Question) bool {
		if q.Open() {
			return false
		}
		q.Drop()
		return true
	})
	var best *hook.Question
	most := -1
	for _, q := range slices.Backward(t.questions) {
		if n := t.Agent.Shows(m, q.Input); n > most {
			best, most = q, n
		}
	}
	return best
}

// replaced tells whether a dialog is not, or is no longer, about the question q. The
// dialog of the question after q can be drawn before that question is reported: then q,
// withdrawn but open, is the only one to choose, until the report comes. q may be nil.
func (t *Turn) replaced(q *hook.Question, m *agent.Menu) bool {
	best := t.shown(m)
	if best == q {
		return false
	}
	return best == nil || q == nil || !q.Open() || t.Agent.Shows(m, best.Input) > t.Agent.Shows(m, q.Input)
}

// reply gives the host's decision to the hook that asked.
func (t *Turn) reply(ctx context.Context, q *hook.Question, decision string) error {
	t.questions = slices.DeleteFunc(t.questions, func(k *hook.Question) bool { return k == q })
	err := q.Answer(ctx, decision, t.term.Done())
	switch {
	case err == nil, agentEnded(err):
		return err
	case errors.Is(err, hook.ErrGone):
		return errChanged
	case ctx.Err() != nil:
		return Why(ctx)
	case errors.Is(err, fs.ErrNotExist):
		err = Cleaned(q.ReplyPath())
	}
	return fmt.Errorf("the decision cannot reach the agent: %w", err)
}

// dismiss lets the hooks of undecided questions exit. Either a person has answered at
// the terminal, or the turn is over.
func (t *Turn) dismiss() {
	for _, q := range t.questions {
		q.Drop()
	}
	t.questions = nil
	t.release()
}

// release lets the hooks end whose questions nobody has heard.
func (t *Turn) release() {
	if t.Place.Lease.Check() == nil { // else the name may be another directory's
		hook.Release(t.dir)
	}
}
