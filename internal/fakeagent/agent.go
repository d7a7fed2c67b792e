package fakeagent

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/tuiturn/tuiturn/internal/uuid"
)

const (
	// escapeWait is how long the agent waits for further bytes after an escape byte.
	escapeWait = 50 * time.Millisecond

	// twice is the longest time between the first and the second Ctrl+C or Escape.
	twice = time.Second
)

// An agent is the running program. The main loop owns every field; other goroutines use
// them through do.
type agent struct {
	script Script
	tty    *tty
	home   home
	dir    string
	prompt string // from the command line
	got    Prompt // what is the same in every prompt's record
	hooks  hooks
	rec    *recorder // safe for concurrent use

	screen  screen
	keys    keyParser
	line    line
	dialog  *dialog
	reply   chan<- int // where the dialog's choice goes
	shown   bool       // the terminal is raw and drawn to
	boxed   bool       // the dialogs of the start are over and the box is drawn
	ready   bool       // the input line takes keys
	offered bool       // the offer has been made
	stalled bool       // nothing is drawn
	turns   int        // prompts accepted so far
	swallow int        // Enters swallowed for the next prompt
	edits   int        // files that an editor has written
	running context.CancelFunc
	queue   []string

	lastInterrupt, lastEscape time.Time

	signals chan os.Signal
	calls   chan func()
	want    chan struct{}
	chunks  chan chunk
	done    bool
	status  int
}

// A chunk is what one read of the terminal returned.
type chunk struct {
	b   []byte
	err error
}

// do runs f in the main loop.
func (a *agent) do(f func()) {
	ran := make(chan struct{})
	a.calls <- func() { f(); close(ran) }
	<-ran
}

// ask shows a dialog and returns the choice, or cancelled if ctx ends first. If before is
// not nil, the main loop calls it just before the dialog is drawn.
func (a *agent) ask(ctx context.Context, d *dialog, before ...func()) int {
	reply := make(chan int, 1)
	a.do(func() {
		for _, f := range before {
			f()
		}
		a.dialog, a.reply = d, reply
		a.draw()
	})
	select {
	case n := <-reply:
		return n
	case <-ctx.Done():
		a.do(func() {
			a.dialog = nil
			a.draw()
		})
		return cancelled
	}
}

// run is the main loop.
func (a *agent) run() int {
	a.signals = make(chan os.Signal, 8)
	signal.Notify(a.signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGWINCH)
	a.want, a.chunks = make(chan struct{}, 1), make(chan chunk)
	go a.boot()

	var escape <-chan time.Time
	for !a.done {
		select {
		case f := <-a.calls:
			f()
		case c := <-a.chunks:
			if c.err != nil {
				a.hangup()
				break
			}
			for _, k := range a.keys.feed(c.b) {
				a.press(k)
			}
			escape = nil
			if a.keys.pending() {
				escape = time.After(escapeWait)
			}
			// Only now: while a key was dealt with, an editor may have been
			// reading the terminal.
			a.want <- struct{}{}
		case <-escape:
			for _, k := range a.keys.flush() {
				a.press(k)
			}
		case s := <-a.signals:
			if s == syscall.SIGWINCH {
				a.screen.pieces = false
				a.draw()
			} else {
				a.signal(s)
			}
		}
	}
	a.close()
	return a.status
}

// signal handles a signal that asks the agent to end.
func (a *agent) signal(s os.Signal) {
	switch s {
	case syscall.SIGHUP:
		a.hangup()
	case syscall.SIGTERM:
		if a.script.IgnoreTerm {
			lingerAtMost()
			return
		}
		a.exit(128 + int(syscall.SIGTERM))
	}
}

// hangup handles the end of the terminal. Nothing more is read from it.
func (a *agent) hangup() {
	if a.script.IgnoreHangup {
		lingerAtMost()
		return
	}
	a.exit(128 + int(syscall.SIGHUP))
}

// lingerAtMost limits how long the agent lives on if its script ignores signals.
func lingerAtMost() { time.AfterFunc(stubbornLife, func() { os.Exit(1) }) }

// exit ends the main loop; the first status counts.
func (a *agent) exit(status int) {
	if !a.done {
		a.done, a.status = true, status
	}
}

// close restores the terminal.
func (a *agent) close() {
	if a.script.ShutdownDelay > 0 {
		time.Sleep(a.script.ShutdownDelay)
	}
	a.rec.close()
	if !a.shown {
		return
	}
	out := "\x1b[?2004l\x1b[?25h"
	if a.script.AltScreen {
		out += "\x1b[?1049l"
	} else {
		_, rows := a.tty.size()
		out += fmt.Sprintf("\x1b[%d;1H\r\n", rows)
	}
	if a.turns > 0 {
		out += "\r\nResume this session with:\r\nclaude --resume " + a.rec.session + "\r\n"
	}
	io.WriteString(os.Stdout, out)
	a.tty.restore()
}

// boot takes the agent from its start to the first prompt.
func (a *agent) boot() {
	a.end(a.script.End, AtBoot)
	if a.script.Litter {
		os.WriteFile(filepath.Join(tempDir(), "claude-litter-"+uuid.New()), nil, 0o600)
	}
	if err := a.startChildren(a.script.Children); err != nil {
		fmt.Fprintln(os.Stderr, err)
		a.do(func() { a.exit(1) })
		return
	}
	time.Sleep(a.script.BootDelay)
	a.do(a.show)

	ctx := context.Background()
	if !a.home.onboarded() {
		n := a.ask(ctx, themeDialog())
		if n == cancelled {
			a.do(func() { a.exit(1) })
			return
		}
		a.home.update(func(m map[string]any) {
			m["hasCompletedOnboarding"], m["theme"] = true, [...]string{"auto", "dark", "light"}[n]
		})
	}
	if !a.home.trusted(a.dir) {
		d, yes := trustDialog(a.dir, a.script.TrustNo)
		if a.ask(ctx, d) != yes {
			a.do(func() { a.exit(1) })
			return
		}
		a.home.trust(a.dir)
	}
	if fault := a.script.SettingsFault; fault != nil {
		if a.ask(ctx, settingsDialog(fault)) != 1 {
			a.do(func() { a.exit(1) })
			return
		}
	}
	if a.script.Offer == AtBoot {
		a.offer()
	}
	if a.script.Rollout != AtSubmit {
		a.name()
	}
	deaf := a.script.StrictHooks && !a.hooks.known()
	a.do(func() {
		a.boxed, a.ready = true, a.script.DeafDelay <= 0 && !deaf
		a.draw()
	})
	if deaf {
		return
	}
	time.Sleep(a.script.DeafDelay)
	a.do(func() { a.ready = true })
	a.end(a.script.End, AtReady)
	if a.prompt != "" {
		a.do(func() { a.accept(a.prompt) })
	}
}

// offer shows a menu and goes on once it is declined.
func (a *agent) offer() {
	if a.ask(context.Background(), offerDialog()) != cancelled || a.script.OfferEnds {
		a.do(func() { a.exit(1) })
	}
}

// show takes control of the terminal and draws.
func (a *agent) show() {
	if err := a.tty.raw(); err != nil {
		a.exit(1)
		return
	}
	a.shown = true
	out := "\x1b[?25l\x1b[?2004h"
	if a.script.AltScreen {
		out += "\x1b[?1049h"
	}
	io.WriteString(os.Stdout, out+"\x1b[2J\x1b[H")
	go a.read()
	a.want <- struct{}{}
}

// read reads the terminal, one chunk at each request of the main loop.
func (a *agent) read() {
	buf := make([]byte, 64<<10)
	for range a.want {
		n, err := os.Stdin.Read(buf)
		a.chunks <- chunk{append([]byte(nil), buf[:n]...), err}
		if err != nil {
			return
		}
	}
}

func (a *agent) draw() {
	if !a.shown || a.stalled || !a.boxed && a.dialog == nil {
		return
	}
	cols, rows := a.tty.size()
	io.WriteString(os.Stdout, a.screen.frame(cols, rows, &a.line, a.dialog))
}

// press handles one key.
func (a *agent) press(k key) {
	if a.dialog != nil {
		if n, ok := a.dialog.press(k); ok {
			a.dialog = nil
			a.reply <- n
		}
		a.draw()
		return
	}
	if !a.ready || a.done {
		return
	}
	switch a.line.press(k) {
	case actSubmit:
		a.submit()
	case actEditor:
		switch {
		case a.script.Offer == AtReady && !a.offered:
			a.offered = true
			go a.offer()
		case !a.script.NoEditor:
			a.edit()
		}
	case actHelp:
		a.screen.say("! for shell mode · / for commands · @ for file paths · ctrl+g to edit in $EDITOR")
	case actEscape:
		switch now := time.Now(); {
		case a.running != nil:
			a.running()
		case now.Sub(a.lastEscape) < twice && a.script.Rewinds && a.line.empty():
			go a.ask(context.Background(), rewindDialog())
		case now.Sub(a.lastEscape) < twice:
			a.line.clear()
		default:
			a.lastEscape = now
		}
	case actInterrupt:
		now := time.Now()
		if now.Sub(a.lastInterrupt) < twice {
			a.exit(0)
			return
		}
		a.lastInterrupt = now
		if a.running != nil {
			a.running()
		}
		a.line.clear()
	case actEOF:
		a.exit(0)
		return
	}
	a.draw()
}

// exitWords are the prompts that end the agent.
var exitWords = map[string]bool{
	"exit": true, "quit": true, ":q": true, ":q!": true, ":wq": true, ":wq!": true,
}

// command matches a line that is a command of the agent. A path such as /etc/hosts is
// text.
var command = regexp.MustCompile(`^\s*/([A-Za-z][A-Za-z0-9:_-]*)(\s|$)`)

// submit handles Enter.
func (a *agent) submit() {
	if a.swallow < a.script.turn(a.turns).SwallowEnters {
		a.swallow++
		return
	}
	text, bash := strings.TrimRight(a.line.value(), " \t\r\n"), a.line.bash
	if strings.TrimSpace(text) == "" {
		return
	}
	a.line.clear()
	if bash {
		a.bash(text)
		return
	}
	a.accept(text)
}

// accept takes a prompt, to be answered now or after the running turn.
func (a *agent) accept(text string) {
	a.swallow = 0
	if exitWords[strings.TrimSpace(text)] {
		a.exit(0)
		return
	}
	if m := command.FindStringSubmatch(text); m != nil {
		a.screen.say("❯ " + text)
		switch m[1] {
		case "exit", "quit":
			a.exit(0)
		default:
			a.screen.say("  ⎿  the command " + m[1] + " ran")
		}
		return
	}
	if a.running != nil {
		a.queue = append(a.queue, text)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.running = cancel
	n, err := a.record(text)
	if err != nil {
		a.screen.say(err.Error())
		a.exit(1)
		return
	}
	t := a.script.turn(n)
	first := a.turns == 0
	a.turns++
	a.stalled = t.Tool != nil && t.Tool.Stall > 0
	a.screen.say("❯ " + text)
	a.screen.status = "✻ Working… (esc to interrupt)"
	a.draw()
	go func() {
		if first && a.script.Rollout == AtSubmit {
			a.name()
		}
		a.play(ctx, t, text)
		cancel()
		a.do(func() {
			a.running, a.dialog, a.screen.status = nil, nil, ""
			if len(a.queue) > 0 {
				next := a.queue[0]
				a.queue = a.queue[1:]
				a.accept(next)
			}
			a.draw()
		})
	}()
}

// bash runs a shell command from the input line, without a question.
func (a *agent) bash(text string) {
	a.screen.say("! " + text)
	go func() {
		c := exec.Command("/bin/sh", "-c", text)
		c.Env = childEnv()
		out, _ := c.CombinedOutput()
		a.rec.add(entry{Type: "user", Message: userMessage{"user", "<bash-input>" + text + "</bash-input>"}})
		a.rec.add(entry{Type: "user", Message: userMessage{"user", "<bash-stdout>" + string(out) + "</bash-stdout>"}})
		a.do(func() {
			a.screen.say("  ⎿  " + string(out))
			a.draw()
		})
	}()
}

// end ends the program if the script says so at this stage. Then it does not return,
// except if the signal stops the program and another signal continues it.
func (a *agent) end(e *End, at Stage) {
	if e == nil || e.At != at {
		return
	}
	a.rec.close()
	switch s := syscall.Signal(e.Signal); s {
	case 0:
		os.Exit(e.Status)
	case syscall.SIGKILL, syscall.SIGSTOP:
		syscall.Kill(os.Getpid(), s)
		if s == syscall.SIGKILL {
			select {}
		}
	default:
		// Go's runtime has handlers of its own for signals such as SIGSEGV.
		// A shell in our place, with our pid, dies of them as they are.
		signal.Reset(s)
		err := syscall.Exec("/bin/sh", []string{"sh", "-c", fmt.Sprintf("kill -%d $$", e.Signal)}, os.Environ())
		fmt.Fprintln(os.Stderr, "fakeagent: end by a signal:", err)
		os.Exit(1)
	}
}
