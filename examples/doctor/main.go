// Command doctor checks whether this machine can run turns, and says what to do if it
// cannot.
//
//	doctor [flags]
//
// It makes the same checks as a Runner that is set up as in examples/ask, with the
// long-lived token in CLAUDE_CODE_OAUTH_TOKEN if that is set. Nothing is sent and
// nothing stays changed, except by -live, which runs one turn. A private tmux server,
// and files in the temporary directory and in the agent's home, exist for a moment.
// No secret is printed.
//
// A table with a row for each check goes to standard output. Below each row that is
// not "ok" stands what to do about it:
//
//	ok     as it should be
//	note   works, but could be better
//	WRONG  turns will fail, or something they rely on is not as it should be
//
// With -json one object is printed instead, on one line: ok, and checks, a list of
// objects with name, status ("ok", "note" or "wrong"), found, do, and, if the turn of
// -live failed, screen.
//
// The exit status is 0 if nothing is wrong, 1 if something is wrong, and 2 for bad
// usage.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	home, _ := os.UserHomeDir()
	d := doctor{home: home, environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr}
	status := d.run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

// A doctor is one run of the command.
type doctor struct {
	home           string // the operator's; empty if it is not known
	environ        []string
	stdout, stderr io.Writer
}

type options struct {
	agent, terminal, home, workdir, tempdir string
	timeout                                 time.Duration
	json, live                              bool
}

func (d *doctor) run(ctx context.Context, args []string) (status int) {
	o, err := d.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(d.stderr, "doctor: bad usage:", err)
		return 2
	}
	checks := d.examine(ctx, o)
	wrong := 0
	for i, c := range checks {
		checks[i].Found = strings.Join(strings.Fields(c.Found), " ") // some errors are lists
		if c.Status == wrongStatus {
			wrong++
		}
	}
	if o.json {
		enc := json.NewEncoder(d.stdout)
		enc.SetEscapeHTML(false)
		err = enc.Encode(struct {
			OK     bool    `json:"ok"`
			Checks []check `json:"checks"`
		}{wrong == 0, checks})
	} else {
		err = table(d.stdout, checks)
	}
	if err != nil {
		fmt.Fprintln(d.stderr, "doctor:", err)
	}
	return min(wrong, 1)
}

func (d *doctor) parse(args []string) (o options, err error) {
	fs := flag.NewFlagSet("doctor", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {
		fmt.Fprintln(d.stderr, "usage: doctor [flags]")
		fs.SetOutput(d.stderr)
		fs.PrintDefaults()
	}
	fs.StringVar(&o.agent, "agent", "", "the claude program; `PATH` or a name (default claude, from PATH)")
	fs.StringVar(&o.terminal, "terminal", "auto", "`KIND` of terminal: tmux, pty, or auto for tmux where it is installed")
	fs.StringVar(&o.home, "home", "", "home `DIR` for the agent (default ~/.tuiturn/home with a token, else your own)")
	fs.StringVar(&o.workdir, "workdir", ".", "working `DIR` of the agent")
	fs.StringVar(&o.tempdir, "tempdir", os.TempDir(), "`DIR` in which hosts make their directories (Runner.TempDir)")
	fs.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long the turn of -live may take")
	fs.BoolVar(&o.json, "json", false, "print one JSON object")
	fs.BoolVar(&o.live, "live", false, "run a turn too, which asks the model for one word")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("%q: doctor takes flags only, see doctor -h", fs.Arg(0))
	case o.timeout <= 0:
		return o, fmt.Errorf("-timeout %v: give a positive duration such as 2m", o.timeout)
	case o.terminal != "auto" && o.terminal != "tmux" && o.terminal != "pty":
		return o, fmt.Errorf("-terminal %s: use auto, tmux or pty", o.terminal)
	}
	if o.home != "" {
		if o.home, err = filepath.Abs(o.home); err != nil {
			return o, err
		}
	}
	o.tempdir, err = filepath.Abs(o.tempdir)
	return o, err
}

// A check is one row of the table.
type check struct {
	Name   string `json:"name"`
	Status status `json:"status"`
	Found  string `json:"found"`
	Do     string `json:"do,omitempty"`     // what to do about it
	Screen string `json:"screen,omitempty"` // what the agent's terminal showed last
}

type status string

const (
	okStatus    status = "ok"
	noteStatus  status = "note"
	wrongStatus status = "wrong"
)

func table(w io.Writer, checks []check) error {
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, c := range checks {
		shown := string(c.Status)
		if c.Status == wrongStatus {
			shown = strings.ToUpper(shown)
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\n", shown, c.Name, c.Found)
		if c.Do != "" {
			fmt.Fprintf(tab, "\t\t-> %s\n", c.Do)
		}
		for line := range strings.Lines(c.Screen) {
			fmt.Fprintf(tab, "\t\t | %s\n", strings.TrimRight(line, "\n"))
		}
	}
	return tab.Flush()
}
