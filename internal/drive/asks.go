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

// When the agent asks a person for a permission it draws a dialog and, at the same
// time, runs its PermissionRequest hook. The hook is given the tool use as data, and
// what it prints decides on that tool use and on no other. So the hook is both the
// source and the channel: it reports the question to the turn, waits for the host's
// decision, and prints it. The screen only shows what a person would see. Text of
// the model's can bend what is drawn, and cannot reach another hook's process.
// (2.1.104, 2.1.158, 2.1.294, 2.1.330, 2.1.332; of subagents, too.)

// asked takes a question that a hook has reported.
func (t *Turn) asked(pid int) {
	q, err := hook.Read(t.dir, pid)
	switch {
	case err != nil:
		t.Log.Warn("a question of the agent's cannot be read", "session", t.Start.Session, "error", err)
		return
	case !t.Agent.Asks(q.Tool):
		q.Drop()
		return
	}
	t.questions = append(t.questions, q)
	t.asking++
}

// shown is the question that the dialog on the screen is about, nil if none has been
// reported that is open. Most agents ask one question after the other. Subagents that
// ask at once have their dialogs in a queue: there the question is taken whose input
// stands in the dialog. A wrong guess asks the host in another order, and no more:
// a decision goes to the question that it was made for, whatever is on the screen.
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

// reply hands the host's decision to the hook that asked.
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

// dismiss lets the hooks end whose questions nobody has decided: a person has
// answered at the terminal, or the turn is over.
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
