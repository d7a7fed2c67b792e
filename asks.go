package tuiturn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/tuiturn/tuiturn/internal/fifo"
	"github.com/tuiturn/tuiturn/internal/proc"
)

// When the agent asks a person for a permission it draws a dialog and, at the same
// time, runs its PermissionRequest hook. The hook is given the tool use as data, and
// what it prints decides on that tool use and on no other. So the hook is both the
// source and the channel: it reports the question to the turn, waits for the host's
// decision, and prints it. The screen only shows what a person would see. Text of
// the model's can bend what is drawn, and cannot reach another hook's process.
// (2.1.104, 2.1.158, 2.1.294, 2.1.330, 2.1.332; of subagents, too.)

// askCommand reports a question and prints the decision. The report is a file of
// its own, of any size, and a line in the hooks' file that names it. The decision
// comes through a FIFO, so that the process takes no time while it waits.
//
// A status of 2 would deny the tool use and any text would be a decision, so it
// ends with 0 and prints nothing whatever goes wrong: see reportCommand.
const askCommand = `trap 'exit 0' EXIT
{ f=${` + hooksVar + `%/*}/` + askPrefix + `$$ &&
cat >"$f" && mkfifo -m 600 "$f` + replySuffix + `" &&
echo '{"hook_event_name":"` + askedEvent + `","pid":'$$'}' >>"$` + hooksVar + `" &&
cat "$f` + replySuffix + `"; } 2>/dev/null
exit 0`

const (
	askPrefix   = "ask."
	replySuffix = ".reply"

	// askedEvent is the event of the line that askCommand writes.
	askedEvent = "Asked"

	// askWait is how long a hook may wait for the decision, in seconds. By default an
	// agent ends its hooks after 60 s or 600 s; more than 24 days would be none.
	askWait = 1_000_000

	// readerWait is how long the hook's process may take from its report until it
	// waits for the decision. Nothing but a busy machine is between the two.
	readerWait = 30 * time.Second
)

// A question is a tool use that the agent asks a person about.
type question struct {
	hook  proc.Identity // of the hook's process
	reply fifo.FIFO     // to it
	tool  string
	input json.RawMessage
}

// open tells whether somebody still waits for a decision.
func (q *question) open() bool {
	start, alive := proc.StartTime(q.hook.Pid)
	return alive && start == q.hook.Start
}

func (p *pane) askFile(pid int) string {
	return filepath.Join(p.dir, askPrefix+strconv.Itoa(pid))
}

// asked takes a question that a hook has reported.
func (t *turn) asked(pid int) {
	file := t.askFile(pid)
	b, err := os.ReadFile(file)
	var report struct {
		Tool  string          `json:"tool_name"`
		Input json.RawMessage `json:"tool_input"`
	}
	if err == nil {
		err = json.Unmarshal(b, &report)
	}
	os.Remove(file)
	reply := fifo.At(file + replySuffix)
	if err != nil {
		t.runner.log().Warn("a question of the agent's cannot be read", "session", t.session, "error", err)
	}
	if err != nil || !t.agent.asksPermission(report.Tool) {
		reply.Remove() // the hook ends, and decides nothing
		return
	}
	t.questions = append(t.questions, &question{proc.Identify(pid), reply, report.Tool, report.Input})
	t.asking++
}

// shown is the question that the dialog on the screen is about, nil if none has been
// reported that is open. Most agents ask one question after the other. Subagents that
// ask at once have their dialogs in a queue: there the question is taken whose input
// stands in the dialog. A wrong guess asks the host in another order, and no more:
// a decision goes to the question that it was made for, whatever is on the screen.
func (t *turn) shown(d *dialog) *question {
	t.questions = slices.DeleteFunc(t.questions, func(q *question) bool {
		if q.open() {
			return false
		}
		q.reply.Remove()
		return true
	})
	var best *question
	most := -1
	for _, q := range slices.Backward(t.questions) {
		if n := t.agent.shows(d, q.input); n > most {
			best, most = q, n
		}
	}
	return best
}

// reply hands the host's decision to the question's own process.
func (t *turn) reply(ctx context.Context, q *question, decision string) error {
	t.questions = slices.DeleteFunc(t.questions, func(k *question) bool { return k == q })
	defer q.reply.Remove()
	for late := time.Now().Add(readerWait); ; {
		waiting, cancel := context.WithTimeout(ctx, bootLook)
		w, err := q.reply.Open(waiting, t.term.Done())
		cancel()
		switch {
		case err == nil:
			err = w.Deliver(ctx, []byte(decision))
			if errors.Is(err, syscall.EPIPE) {
				return errChanged
			}
			return err
		case ctx.Err() != nil:
			return why(ctx)
		case errors.Is(err, fifo.ErrGone):
			return os.ErrProcessDone
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("the decision cannot reach the agent: %w", cleaned(q.reply.Path))
		case !errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("the decision cannot reach the agent: %w", err)
		case !q.open():
			return errChanged
		case time.Now().After(late):
			return fmt.Errorf("the decision cannot reach the agent: its hook has not asked for it within %v", readerWait)
		}
	}
}

// dismiss lets the processes end whose questions nobody has decided: a person has
// answered at the terminal, or the turn is over.
func (t *turn) dismiss() {
	for _, q := range t.questions {
		q.reply.Remove()
	}
	t.questions = nil
}
