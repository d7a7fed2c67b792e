package tmuxctl

import (
	"context"
	"fmt"
	"slices"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// keeper is the name of a session without a program. A control connection has to be
// attached to a session, and receives what the programs in that session print. No
// SessionConfig can have this name.
const keeper = "(tuiturn)"

// The options of a private server are set before its first session is made. On a
// shared server those of a session are set right after the session is made, and
// options of the whole server stay as its owner has them. With -q a tmux that does
// not know an option ignores it. Before 3.0 each option must be given its kind:
// server, session or window.
var (
	serverOptions = [][2]string{
		{"exit-empty", "off"}, // unlike what -D means, not the default (2.7)
		{"escape-time", "0"},  // Escape is a key, not the start of one
	}
	globalOptions = [][2]string{
		{"history-limit", "0"},     // a full history of 2,000 lines is 2 MB a pane, never given back
		{"update-environment", ""}, // nothing of a client's environment gets in
	}
	sessionOptions = [][2]string{
		{"status", "off"}, // the program gets every row
		{"destroy-unattached", "off"},
	}
	windowOptions = [][2]string{
		{"remain-on-exit", "on"},      // keeps the exit status for us to read
		{"remain-on-exit-format", ""}, // with nothing written over the last screen (3.3)
		{"pane-border-status", "off"}, // the program gets every row
		{"pane-scrollbars", "off"},    // and every column (3.6)
		{"alternate-screen", "on"},
		{"allow-rename", "off"},
		{"automatic-rename", "off"},
	}
)

// setOptions returns commands, each with a ";" behind it.
func setOptions(options [][2]string, command ...string) (args []string) {
	for _, o := range options {
		args = append(append(args, command...), o[0], o[1], ";")
	}
	return args
}

// keep sets a new server's options and makes the keeper. With remain-on-exit
// its pane stays when the program, which does nothing, has ended.
func (in *instance) keep(ctx context.Context) error {
	args := slices.Concat(
		setOptions(serverOptions, "set-option", "-sq"),
		setOptions(globalOptions, "set-option", "-gq"),
		setOptions(sessionOptions, "set-option", "-gq"),
		setOptions(windowOptions, "set-window-option", "-gq"))
	args = append(args, "new-session", "-d", "-P", "-F", "#{pid}", "-s", keeper, "-c", "/", "/bin/sh", "-c", "exit")
	ctx, cancel := in.patient(ctx, commandTimeout)
	defer cancel()
	out, err := in.process(ctx, nil, args...)
	if err != nil {
		return fmt.Errorf("tmux new-session: %w", err)
	}
	var pid int
	if _, err := fmt.Sscan(string(out), &pid); err != nil || pid <= 1 {
		return fmt.Errorf("tmux new-session answered %q for its process id", out)
	}
	in.server = proc.Identify(pid)
	return nil
}

// prepare makes the control connection and finds out what this tmux supports.
func (in *instance) prepare(ctx context.Context) error {
	ctx, cancel := in.patient(ctx, commandTimeout)
	defer cancel()
	// Not before the keeper's pane is dead for good: a control client attached
	// to where one dies ends a tmux 3.2a with a fault (tmux issue 2828).
	if _, known := in.paneStatus(ctx, "="+keeper+":"); known {
		in.control, _ = dialControl(ctx, in.client(context.Background(), "-C", "attach-session", "-t", "="+keeper))
	} // without a connection processes do as well
	in.can.probe(ctx, in)
	if ctx.Err() != nil {
		return fmt.Errorf("tmux attach-session: %w", context.Cause(ctx))
	}
	return nil
}
