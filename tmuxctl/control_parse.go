package tmuxctl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxAnswer limits the answer to one command, and maxNotice the kept part of a
// notification. A screen of 1,000 rows is a few hundred kilobytes.
const (
	maxAnswer = 64 << 20
	maxNotice = 4 << 10
)

var (
	errAnswerTooLong = fmt.Errorf("the answer has more than %d MB", maxAnswer>>20)
	errOutOfStep     = errors.New("unexpected output in tmux's control mode")
)

// A controlEvent is one message of a server in control mode: a block, which is the
// answer to a command, or a notification.
type controlEvent struct {
	// notice is the line of a notification, "%sessions-changed"; empty for a
	// block.
	notice string

	// ours tells whether the command came over this connection's input: such
	// blocks are flagged 1. The command that the connection was opened with,
	// and hooks, are flagged 0.
	ours   bool
	failed bool // the block ended with %error: out is the message
	out    []byte
}

// A controlReader reads what a server says in control mode:
//
//	%begin 1795596857 273 1
//	…
//	%end 1795596857 273 1       or %error
//	%sessions-changed
//
// The text between the marks is not escaped. A pane can show lines that look like
// marks, and so end a block early, split it, or make it swallow the blocks that
// follow. The token shows that: a line that begins with it stands alone in its block.
type controlReader struct {
	r     *bufio.Reader
	token []byte
}

func newControlReader(r io.Reader, token string) *controlReader {
	return &controlReader{bufio.NewReaderSize(r, 64<<10), []byte(token)}
}

// next returns the next event. After an error the reader must not be used.
func (c *controlReader) next() (controlEvent, error) {
	line, err := c.line(maxNotice)
	if err != nil {
		return controlEvent{}, err
	}
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case word == "%begin":
		return c.block(rest)
	case word == "%end", word == "%error", !strings.HasPrefix(word, "%"):
		return controlEvent{}, fmt.Errorf("%w: %q outside of an answer", errOutOfStep, line)
	}
	return controlEvent{notice: line}, nil
}

// block reads to the end of the block that was begun with mark.
func (c *controlReader) block(mark string) (controlEvent, error) {
	f := strings.Fields(mark) // time, number, flags
	if len(f) != 3 {
		return controlEvent{}, fmt.Errorf("%w: %%begin %q", errOutOfStep, mark)
	}
	e := controlEvent{ours: f[2] == "1"}
	end, failure := []byte("%end "+mark+"\n"), []byte("%error "+mark+"\n")
	for newLine := true; ; {
		part, err := c.r.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return controlEvent{}, noEOF(err)
		}
		if newLine && bytes.Equal(part, end) {
			return e, nil
		}
		if newLine && bytes.Equal(part, failure) {
			e.failed = true
			return e, nil
		}
		switch {
		case newLine && bytes.HasPrefix(part, c.token) && len(e.out) > 0:
			return controlEvent{}, fmt.Errorf("%w: an answer is missing", errOutOfStep)
		case len(e.out)+len(part) > maxAnswer:
			return controlEvent{}, errAnswerTooLong
		}
		e.out = append(e.out, part...)
		newLine = err == nil
	}
}

// line reads one line and keeps the first max bytes of it.
func (c *controlReader) line(max int) (string, error) {
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part[:min(len(part), max-len(line))]...)
		switch {
		case err == nil:
			return strings.TrimSuffix(string(line), "\n"), nil
		case err == bufio.ErrBufferFull:
		case len(line) > 0:
			return "", noEOF(err)
		default:
			return "", err
		}
	}
}

// noEOF is the error of a stream that ended in the middle of something.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
