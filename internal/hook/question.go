package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tuiturn/tuiturn/internal/fifo"
	"github.com/tuiturn/tuiturn/internal/proc"
)

// A Question is a tool use that the agent asks a person about. The hook of the question
// waits for the answer.
type Question struct {
	Tool  string
	Input json.RawMessage

	process proc.Identity // the hook's process
	reply   fifo.FIFO     // carries the answer to the hook
}

// Read returns the question that the hook with a process id has reported in dir, and
// removes the report. If Read fails, it lets the hook exit.
func Read(dir string, pid int) (*Question, error) {
	file := filepath.Join(dir, askPrefix+strconv.Itoa(pid))
	b, err := os.ReadFile(file)
	var report struct {
		Tool  string          `json:"tool_name"`
		Input json.RawMessage `json:"tool_input"`
	}
	if err == nil {
		err = json.Unmarshal(b, &report)
	}
	os.Remove(file)
	q := &Question{report.Tool, report.Input, proc.Identify(pid), fifo.At(file + replySuffix)}
	if err != nil {
		q.Drop()
		return nil, err
	}
	return q, nil
}

// Release lets go of every hook that waits in dir. Nobody has read its question, or
// ever will: it was asked between two turns, or at the end of one.
func Release(dir string) {
	entries, _ := os.ReadDir(dir) // not a glob: dir may hold pattern characters
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, askPrefix) && strings.HasSuffix(name, replySuffix) {
			reply := filepath.Join(dir, name)
			os.Remove(strings.TrimSuffix(reply, replySuffix))
			fifo.At(reply).Remove()
		}
	}
}

// Open tells whether the hook still waits for an answer.
func (q *Question) Open() bool {
	start, alive := proc.StartTime(q.process.Pid)
	return alive && start == q.process.Start
}

// Drop lets the hook exit without a decision.
func (q *Question) Drop() { q.reply.Remove() }

// ReplyPath returns the path of the FIFO that carries the answer.
func (q *Question) ReplyPath() string { return q.reply.Path }

const (
	// readerWait limits how long the hook takes from its report until it reads the
	// answer. Only a busy machine can delay that.
	readerWait = 30 * time.Second

	// readerLook is the interval of checks that the hook's process still runs.
	readerLook = 20 * time.Millisecond
)

// ErrGone is returned for an answer that no hook waits for any more.
var ErrGone = errors.New("the hook that asked is gone")

// Answer gives the answer to the hook that asked, and to no other. ended is closed when
// the agent has ended. The error is ErrGone if the hook has exited, and
// os.ErrProcessDone if the agent has. It wraps fs.ErrNotExist if the hook's FIFO was
// removed.
func (q *Question) Answer(ctx context.Context, answer string, ended <-chan struct{}) error {
	defer q.Drop()
	for late := time.Now().Add(readerWait); ; {
		waiting, cancel := context.WithTimeout(ctx, readerLook)
		w, err := q.reply.Open(waiting, ended)
		cancel()
		switch {
		case err == nil:
			if err = w.Deliver(ctx, []byte(answer)); errors.Is(err, syscall.EPIPE) {
				return ErrGone
			}
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fifo.ErrGone):
			return os.ErrProcessDone
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		case !q.Open():
			return ErrGone
		case time.Now().After(late):
			return fmt.Errorf("its hook has not read it within %v", readerWait)
		}
	}
}
