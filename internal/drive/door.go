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
	"github.com/tuiturn/tuiturn/internal/hook"
	"github.com/tuiturn/tuiturn/internal/proc"
)

// The door gives the agent a prompt through its external editor. The agent's $VISUAL is
// a script of ours. On the editor key the agent runs the script with a file's name. The
// script copies a FIFO into that file, and the agent takes the file as its input. The
// text arrives exactly, and no part of it can act as a key. When the script opens the
// FIFO, the agent has proved that it takes keys.

const (
	// keyAgain is the time to wait for the editor before the key is sent again. The
	// time doubles with each key. A starting agent loses keys: 2.1.104 took the third
	// at 250 ms.
	keyAgain = 250 * time.Millisecond
)

// DoorWait is how long an agent that shows its input line, and has read its keys, may
// take to open the editor. After that the prompt is pasted. Tests set a shorter time.
var DoorWait = 16 * time.Second

// A door gives prompts to an agent, one after the other. A nil door has no editor.
type door struct {
	script string
	fifo   string // path of the FIFO; each prompt has a new one
}

// plainPath matches a path that agents read unchanged from $VISUAL. 2.1.104 gives
// $VISUAL to a shell; 2.1.158 and 2.1.330 split it at spaces.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// doorIn is the door in dir, a private directory, before make has made it. It is nil if
// the directory's name does not match plainPath.
func doorIn(dir string) *door {
	d := &door{script: filepath.Join(dir, "editor"), fifo: filepath.Join(dir, "prompt")}
	if !plainPath.MatchString(d.script) {
		return nil
	}
	return d
}

// make writes the editor's script.
func (d *door) make() error {
	// The FIFO exists only while a prompt is handed over. Without a FIFO the editor
	// fails, and all agents then leave their input as it is. A surplus key opens the
	// editor again, and so does a tool that runs $VISUAL, as git does. With the same
	// text, 2.1.330 would take its own input for a paste.
	script := fmt.Sprintf(`[ -p %[1]s ] && exec 3<%[1]s && exec cat <&3 >"$1"
exit 1
`, d.fifo)
	return os.WriteFile(d.script, []byte(script), 0o600)
}

// env returns the variables that make the agent use the door. sh runs the script, so
// the file system need not allow execution.
func (d *door) env() []string {
	if d == nil {
		return nil
	}
	return []string{"VISUAL=/bin/sh " + d.script, "EDITOR=/bin/sh " + d.script}
}

// Reserved are the variables by which the agent hears of the door and of the hooks' file.
// With others in their place each prompt is pasted after a long wait, and no hook reports.
var Reserved = []string{"VISUAL", "EDITOR", hook.FileVar}

// errNoDoor says that the agent does not open its editor.
var errNoDoor = errors.New("the agent does not open an editor")

// deliver replaces the content of the input line by text, through the editor.
//
// The key is sent again only after the agent has read the one before. If 2.1.104 reads
// several keys at once, it takes them for text.
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
		if o.w != nil { // an editor waits, even if something else has failed
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
		// Nothing else reports that an agent was stopped: it only leaves its keys
		// unread.
		if !proc.Stopped(p.term.Pid()) {
			stopped = 0
		} else if stopped++; time.Duration(stopped)*keyAgain > stoppedStill {
			return giveUp(ErrStopped)
		}
		if err := w.lookNow(ctx); err != nil {
			return giveUp(Cause(ctx, err))
		}
		// If the input line is gone, the editor is about to open, or the agent asks
		// something first.
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
			wait = min(2*wait, max(keyAgain, DoorWait-idle))
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

// paste puts the prompt into the input line as a bracketed paste. A tab becomes four
// spaces on the way, and 2.1.330 wraps three or more lines in a tag.
func (t *Turn) paste(ctx context.Context) error {
	put, err := t.Agent.Pasted(&t.Prompt)
	if err != nil {
		return err
	}
	// An agent without an editor may have taken the key for text.
	if err := t.clear(ctx); err != nil {
		return err
	}
	return t.term.Paste(ctx, []byte(put))
}

// clear empties the input line with keys. Each key removes a row or a line end. If
// 2.1.104 reads several keys at once, it takes them for text.
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
