package drive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/tuiturn/tuiturn/internal/fifo"
	"github.com/tuiturn/tuiturn/internal/proc"
)

// The editor door: asked to edit its input in $VISUAL, the agent runs a script
// of ours that copies a FIFO into the file it names, and takes that as the
// input. The text arrives exactly, no part of it can be a key, and the FIFO
// being opened proves that the agent takes keys.

const (
	// keyAgain is how long the editor is waited for before the key is sent
	// again, and then twice as long each time. An agent that still starts loses
	// keys: 2.1.104 took the third at 250 ms.
	keyAgain = 250 * time.Millisecond
)

// DoorWait is how long an agent that has read its keys, and shows its input
// line, may take to open the editor before the paste door is used. Less in tests.
var DoorWait = 8 * time.Second

// door is where prompts go in, one after the other.
type door struct {
	script string
	fifo   string // the path of each prompt's FIFO
}

// plainPath is a path that stands for itself in every way in which agents have
// read $VISUAL: 2.1.104 gives it to a shell, 2.1.158 and 2.1.330 split it at
// spaces.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// newDoor makes the door in dir, a private directory. It is nil where the
// directory's name does not allow it.
func newDoor(dir string) (*door, error) {
	d := &door{script: filepath.Join(dir, "editor"), fifo: filepath.Join(dir, "prompt")}
	if !plainPath.MatchString(d.script) {
		return nil, nil
	}
	// There is a FIFO while a prompt is handed over. Without one the editor
	// fails, and all agents then leave their input as it is. It is opened again
	// by a key too many, and 2.1.330 would take its own input, read back, for a
	// paste; or by a tool of the agent's that runs $VISUAL, as git does.
	script := fmt.Sprintf(`[ -p %[1]s ] && exec 3<%[1]s && exec cat <&3 >"$1"
exit 1
`, d.fifo)
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

// deliver makes text all that stands in the input line, through the editor.
//
// The key is sent again only once the agent has read the one before. 2.1.104
// takes several that it reads at once for text.
func (d *door) deliver(ctx context.Context, p *Pane, text string) error {
	if d == nil {
		return errNoDoor
	}
	pipe, err := fifo.New(d.fifo)
	if err != nil {
		return err
	}
	type opening struct {
		w   *fifo.Writer
		err error
	}
	opened := make(chan opening, 1)
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		w, err := pipe.Open(waiting, p.term.Done())
		opened <- opening{w, err}
	}()
	finish := func(o opening, err error) error {
		if o.w != nil { // whatever else went wrong, an editor waits
			return o.w.Deliver(ctx, []byte(text))
		}
		pipe.Remove()
		return err
	}
	giveUp := func(err error) error {
		cancel()
		return finish(<-opened, err)
	}
	idle, wait := time.Duration(0), keyAgain
	next, stopped := time.Now(), 0
	w := watch{pane: p}
	tick := time.NewTicker(keyAgain)
	defer tick.Stop()
	for {
		// Nothing else tells of an agent that was stopped: it leaves its keys unread.
		if !proc.Stopped(p.term.Pid()) {
			stopped = 0
		} else if stopped++; time.Duration(stopped)*keyAgain > stoppedStill {
			return giveUp(ErrStopped)
		}
		if err := w.lookNow(ctx); err != nil {
			return giveUp(Cause(ctx, err))
		}
		// While the input line is gone the editor is about to open, unless the
		// agent has something to ask first.
		if err := w.unblock(ctx); err != nil {
			return giveUp(err)
		}
		if !time.Now().Before(next) {
			if unread, _ := p.term.Unread(ctx); unread == 0 && w.view.Input {
				if idle >= DoorWait {
					return giveUp(errNoDoor)
				}
				if err := p.term.SendKeys(ctx, p.Agent.Traits().Keys.Editor); err != nil {
					return giveUp(Cause(ctx, err))
				}
				idle += wait
			}
			next = next.Add(wait)
			wait *= 2
		}
		select {
		case o := <-opened:
			switch {
			case o.err == nil:
			case ctx.Err() != nil:
				o.err = Why(ctx)
			case errors.Is(o.err, fifo.ErrGone):
				o.err = os.ErrProcessDone
			}
			return finish(o, o.err)
		case <-tick.C:
		}
	}
}

// paste puts the prompt into the input line as a bracketed paste. On its way a
// tab becomes four spaces, and 2.1.330 wraps three lines or more in a tag.
func (t *Turn) paste(ctx context.Context) error {
	put, err := t.Agent.Pasted(&t.Prompt)
	if err != nil {
		return err
	}
	// An agent that has no editor may have taken the key for text.
	if err := t.clear(ctx); err != nil {
		return err
	}
	return t.term.Paste(ctx, []byte(put))
}

// clear empties the input line with keys, each of which takes a row or a line
// end of it. 2.1.104 takes several that it reads together for text.
func (p *Pane) clear(ctx context.Context) error {
	w := watch{pane: p}
	for range 10 {
		if err := w.look(ctx); err != nil {
			return err
		}
		if w.view.Text == "" {
			break
		}
		if err := p.term.SendKeys(ctx, p.Agent.Traits().Keys.Clear); err != nil {
			return err
		}
		select {
		case <-time.After(5 * bootLook):
		case <-ctx.Done():
			return Why(ctx)
		}
	}
	return nil
}
