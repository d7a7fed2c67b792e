package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/tuiturn/tuiturn/internal/fifo"
)

// The editor door: asked to edit its input in $VISUAL, the agent runs a script
// of ours that copies a FIFO into the file it names, and takes that as the
// input. The text arrives exactly, no part of it can be a key, and the FIFO
// being opened proves that the agent takes keys.

const (
	// editorKey asks claude for the editor, 2.1.104 to 2.1.330.
	editorKey = "C-g"

	// keyAgain is how long the editor is waited for before the key is sent
	// again, and then twice as long each time. An agent that still starts loses
	// keys: 2.1.104 took the third at 250 ms. One that is merely slow opens the
	// editor once more: the script then leaves the file alone, but on a busy
	// machine 2.1.104 has put the key into its input as a character, and has
	// emptied its input.
	keyAgain = 250 * time.Millisecond

	// doorWait is how long an agent whose input line is there may take to open
	// the editor before the paste door is used.
	doorWait = 5 * time.Second
)

// door is where one prompt goes in.
type door struct {
	script string
	fifo   fifo.FIFO
}

// plainPath is a path that stands for itself in every way in which agents have
// read $VISUAL: 2.1.104 gives it to a shell, 2.1.158 and 2.1.330 split it at
// spaces.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// newDoor makes the door in dir, a private directory. It is nil where the
// directory's name does not allow it.
func newDoor(dir string) (*door, error) {
	d := &door{script: filepath.Join(dir, "editor")}
	if !plainPath.MatchString(d.script) {
		return nil, nil
	}
	var err error
	if d.fifo, err = fifo.New(filepath.Join(dir, "prompt")); err != nil {
		return nil, err
	}
	// Once the FIFO is gone the file stays as it is, whoever asks: a key too
	// many, or a tool of the agent's that runs $VISUAL, as git does.
	script := fmt.Sprintf(`[ -p %[1]s ] && exec 3<%[1]s && exec cat <&3 >"$1"
exit 0
`, d.fifo.Path)
	if err := os.WriteFile(d.script, []byte(script), 0o600); err != nil {
		return nil, err
	}
	return d, nil
}

// env makes the agent use the door. Run through sh, the script needs no file
// system that allows execution.
func (d *door) env() []string {
	if d == nil {
		return nil
	}
	return []string{"VISUAL=/bin/sh " + d.script, "EDITOR=/bin/sh " + d.script}
}

// errNoDoor says that the agent does not open its editor.
var errNoDoor = errors.New("the agent does not open an editor")

// deliver puts text into the agent's input line through the editor.
func (d *door) deliver(ctx context.Context, t *turn, text string) error {
	if d == nil {
		return errNoDoor
	}
	open, cancel := context.WithTimeout(ctx, doorWait)
	defer cancel()
	opened := make(chan struct{})
	var w *fifo.Writer
	var openErr error
	go func() {
		defer close(opened)
		w, openErr = d.fifo.Open(open, t.term.Done())
	}()
	for press, wait := true, keyAgain; ; wait *= 2 {
		if press {
			if err := t.term.SendKeys(ctx, editorKey); err != nil && open.Err() == nil {
				cancel()
				<-opened
				if w != nil {
					w.Deliver(open, nil)
				}
				return err
			}
		}
		select {
		case <-opened:
			switch {
			case openErr == nil:
				return w.Deliver(ctx, []byte(text))
			case ctx.Err() != nil:
				return why(ctx)
			case errors.Is(openErr, fifo.ErrGone):
				return os.ErrProcessDone
			case open.Err() != nil:
				d.fifo.Remove()
				return errNoDoor
			}
			return openErr
		case <-time.After(wait):
		}
		// While the input line is gone the editor is about to open.
		screen, err := t.term.Screen(ctx)
		press = err == nil && t.agent.read(screen).input
	}
}

// paste puts text into the input line as a bracketed paste. On its way a tab
// becomes four spaces, and 2.1.330 wraps three lines or more in a tag.
func (t *turn) paste(ctx context.Context, text string) error {
	// A door that opens late must not add to what is pasted.
	if t.door != nil {
		t.door.fifo.Remove()
	}
	return t.term.Paste(ctx, []byte(text))
}
