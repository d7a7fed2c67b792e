package fakeagent

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn/internal/uuid"
)

// Main runs the agent with the arguments in os.Args and the script in EnvVar,
// and returns its exit status. It is called at most once in a process.
func Main() int {
	if len(os.Args) == 4 && os.Args[1] == childArg {
		return child(Child(os.Args[2]), os.Args[3])
	}
	var s Script
	if err := json.Unmarshal([]byte(os.Getenv(EnvVar)), &s); err != nil {
		fmt.Fprintf(os.Stderr, "Error: %s is not a script: %v\n", EnvVar, err)
		return 1
	}
	return Run(s, os.Args[1:])
}

// Run runs the agent like Main, with a given script and arguments. A script that starts
// children needs Main.
func Run(s Script, args []string) int {
	a, err := newAgent(s, args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if a == nil {
		return 0
	}
	return a.run()
}

// newAgent makes an agent from a script and arguments. If the arguments ask only for the
// version, it prints the version and returns nil.
func newAgent(s Script, args []string) (*agent, error) {
	o, err := parseArgs(args)
	if err != nil {
		return nil, err
	}
	a := &agent{
		calls:  make(chan func()),
		script: s,
		home:   home{os.Getenv("HOME")},
		prompt: o.prompt,
	}
	if o.version {
		fmt.Println(a.script.version() + " (Claude Code)")
		return nil, nil
	}
	a.line.modern = a.script.NewInput
	if a.tty, err = openTTY(int(os.Stdin.Fd())); err != nil {
		return nil, fmt.Errorf("Error: %w", err)
	}
	// Not os.Getwd: that trusts $PWD, while the real agent goes by the path
	// without symbolic links.
	if a.dir, err = unix.Getwd(); err != nil {
		return nil, fmt.Errorf("Error: working directory: %w", err)
	}
	if o.settings != "" {
		if a.hooks, err = readHooks(o.settings); err != nil {
			return nil, fmt.Errorf("Error: %w", err)
		}
	}
	a.got.Model = o.model
	if o.system != "" {
		b, err := os.ReadFile(o.system)
		if err != nil {
			return nil, fmt.Errorf("Error: Append system prompt file not found: %w", err)
		}
		a.got.SystemPrompt = string(b)
	}
	session, model := o.session, o.model
	if o.resume != "" {
		session = o.resume
	}
	rollout := s.Rollout != ""
	if session == "" || rollout && o.resume == "" {
		session = uuid.New()
	}
	if model == "" {
		model = "claude-fake-1"
	}
	if a.rec, err = newRecorder(a.home.dir, a.dir, strings.ToLower(session), model, o.resume != "", rollout); err != nil {
		if o.resume == "" {
			err = fmt.Errorf("Error: %w", err)
		}
		return nil, err
	}
	a.rec.version = a.script.version()
	a.screen = screen{
		banner: []string{
			" ▐▛███▜▌   Claude Code v" + a.script.version(),
			"▝▜█████▛▘  " + model,
			"  ▘▘ ▝▝    " + a.dir,
		},
		footer: a.script.Footer,
		bottom: a.script.AltScreen,
	}
	if a.screen.footer == "" {
		a.screen.footer = "? for shortcuts"
	}
	return a, nil
}
