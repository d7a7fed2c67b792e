package tmuxctl

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

var (
	// errNotSent: the command did not reach the server. It may be sent in another
	// way.
	errNotSent = errors.New("there is no control connection to the tmux server")

	// errNoAnswer: the command was sent and may have been carried out, or not.
	errNoAnswer = errors.New("the control connection to the tmux server was lost before the answer arrived: check whether the command was carried out before you repeat it")
)

// overdue is the time after which a connection without an answer is closed. A
// server that was stopped for a shorter time answers late, and no harm is done.
const overdue = 5 * time.Second

// A control is a connection to one server in tmux's control mode: a client process
// (tmux -C) that reads one command per line from its standard input. From 3.2 on
// the server itself reads that pipe and writes the other; before, the client passes
// everything on. A command takes 0.09 ms this way and 2.5 ms as a process (3.3a;
// 3.1c 0.22 and 2.2 ms).
//
// The connection is made once, when the server has just started and nobody else
// knows it. tmux 3.2 to 3.6 crashes, and every session with it, in two cases: the
// server announces something while a control client introduces itself, or the client
// vanishes before it has done so (tmux issues 4980 and 5004; of 50 servers that were
// stopped while one client was killed and another connected, 7 crashed). So a lost
// connection is not replaced, and the connection survives a caller that stops
// waiting.
//
// Only one command is sent at a time. The server has one thread, so sending ahead
// gains nothing. If the connection is lost, the outcome of only one command is
// unknown. The other callers wait in do, each with its own context: there is no
// queue here.
//
// The process is our child. When it ends, for whatever reason, it is waited for
// and everything here is released, whether close is called or not.
type control struct {
	cmd     *exec.Cmd
	in, out *os.File

	token string        // see controlCall
	turn  chan struct{} // holds a value while a command is not answered
	calls int           // owned by the caller that took the turn

	mu   sync.Mutex
	call *controlCall // the call without an answer yet, or nil

	lost chan struct{} // closed when no more answers come
	gone chan struct{} // closed when no process and no descriptor is left

	listeners
}

// A controlCall is a line that waits for its answer. The answer is every block up to
// the one in which the server repeats the call's token. The request for the token
// follows the line, so it is answered whether the line's commands succeed or not. No
// pane can know the token: what a pane shows may garble the answer in which it is
// shown, but never becomes the answer to another call.
type controlCall struct {
	token    string
	sent     time.Time
	out      []byte
	err      error // of the first command that failed; tmux leaves out the rest
	answered chan struct{}
}

// take adds one block to the answer and tells whether it was the last.
func (call *controlCall) take(e controlEvent) (last bool, err error) {
	if string(e.out) == call.token+"\n" {
		return true, nil
	}
	switch {
	case e.failed && call.err == nil:
		call.err = newRefusal(e.out)
	case len(call.out)+len(e.out) > maxAnswer:
		return false, errAnswerTooLong
	default:
		call.out = append(call.out, e.out...)
	}
	return false, nil
}

// dialControl starts cmd, whose arguments attach it to a session, and returns
// when the server is ready for a command.
func dialControl(ctx context.Context, cmd *exec.Cmd) (*control, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		theirIn.Close()
		in.Close()
		return nil, err
	}
	c := &control{
		cmd: cmd, in: in, out: out,
		token: rand.Text(), turn: make(chan struct{}, 1),
		lost: make(chan struct{}), gone: make(chan struct{}),
	}
	cmd.Stdin, cmd.Stdout = theirIn, theirOut
	err = cmd.Start()
	theirIn.Close()
	theirOut.Close()
	if err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	reaped := make(chan struct{})
	go func() {
		defer close(reaped)
		cmd.Wait()
		// What it has written is still in the pipe. A server that is stopped
		// keeps the other end open.
		out.SetReadDeadline(time.Now().Add(cutDelay))
	}()
	go func() {
		defer close(c.gone)
		c.receive()
		close(c.lost)
		cmd.Process.Kill()
		<-reaped
		in.Close()
		out.Close()
	}()
	if _, err := c.do(ctx, controlLine{}); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// receive passes on the server's answers and notifications until there are no more,
// or until they make no sense.
func (c *control) receive() {
	r := newControlReader(c.out, c.token)
	for {
		e, err := r.next()
		switch {
		case err != nil:
			return
		case e.notice == "%exit" || strings.HasPrefix(e.notice, "%exit "):
			return
		case e.notice != "":
			c.tell(e.notice)
		case e.ours:
			if err := c.answer(e); err != nil {
				return
			}
		}
	}
}

// answer gives a block to the call that waits for it.
func (c *control) answer(e controlEvent) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.call == nil {
		return errOutOfStep // an answer to nothing
	}
	last, err := c.call.take(e)
	if last {
		close(c.call.answered)
		c.call = nil
		<-c.turn
	}
	return err
}

// do gives the server a command and returns its answer: the command's output, or a
// refusal. Any other error means that no answer came: errNotSent, errNoAnswer, or
// the cause of ctx's end. In the last case the command may still be carried out.
func (c *control) do(ctx context.Context, line controlLine) ([]byte, error) {
	select {
	case c.turn <- struct{}{}:
	case <-c.lost:
		return nil, errNotSent
	case <-ctx.Done():
		c.giveUp()
		return nil, context.Cause(ctx)
	}
	switch { // select chooses at random from what is ready
	case c.isLost():
		return nil, errNotSent
	case ctx.Err() != nil:
		<-c.turn
		return nil, context.Cause(ctx)
	}
	c.calls++
	call := &controlCall{
		token:    fmt.Sprint(c.token, "-", c.calls),
		sent:     time.Now(),
		answered: make(chan struct{}),
	}
	c.mu.Lock()
	c.call = call
	c.mu.Unlock()

	// The pipe is empty, since all before was answered, and takes a line at
	// once: see maxLine.
	text := line.text + "display-message -p " + call.token + "\n"
	if n, err := io.WriteString(c.in, text); err != nil {
		c.close()
		if n < len(line.text) { // tmux does nothing about a part of a line
			return nil, errNotSent
		}
		return nil, errNoAnswer
	}
	select {
	case <-call.answered:
	case <-c.lost:
		select {
		case <-call.answered: // with its last words
		default:
			return nil, errNoAnswer
		}
	case <-ctx.Done():
		c.giveUp()
		return nil, context.Cause(ctx)
	}
	if call.err != nil {
		return nil, call.err
	}
	return call.out, nil
}

func (c *control) isLost() bool {
	select {
	case <-c.lost:
		return true
	default:
		return false
	}
}

// giveUp closes a connection whose answer is overdue.
func (c *control) giveUp() {
	c.mu.Lock()
	late := c.call != nil && time.Since(c.call.sent) > overdue
	c.mu.Unlock()
	if late {
		c.close()
	}
}

// close ends the client and returns when it has been waited for. The server may
// be stopped, or busy: nothing is asked of it. close may be called again.
func (c *control) close() {
	c.cmd.Process.Kill()
	c.out.Close() // ends receive
	<-c.gone
}
