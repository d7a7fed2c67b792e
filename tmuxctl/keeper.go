package tmuxctl

import (
	"context"
	"fmt"
)

// keeper is a session with no program in it. A control connection has to be
// attached to a session, and hears what that one's programs print. Its name is
// none that a SessionConfig can have.
const keeper = "(tuiturn)"

// options are set before the first session is made. -q: a tmux that does not
// know one does without it.
var options = [][]string{
	{"history-limit", "0"},        // a full history of 2,000 lines is 2 MB a pane, never given back
	{"remain-on-exit", "on"},      // keeps the exit status for us to read
	{"remain-on-exit-format", ""}, // with nothing written over the last screen (3.3)
	{"status", "off"},             // the program gets every row
	{"escape-time", "0"},          // Escape is a key, not the start of one
	{"update-environment", ""},    // nothing of a client's environment gets in
	{"allow-rename", "off"},
	{"automatic-rename", "off"},
}

// keep prepares a new server: the options, the keeper, the control connection.
func (in *instance) keep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var args []string
	for _, o := range options {
		args = append(args, "set-option", "-gq", o[0], o[1], ";")
	}
	// With remain-on-exit the pane stays when the program, which does nothing,
	// has ended.
	args = append(args, "new-session", "-d", "-P", "-F", "#{pane_id}", "-s", keeper, "-c", "/", "/bin/sh", "-c", "exit")
	out, err := in.process(ctx, nil, args...)
	if err != nil {
		return fmt.Errorf("tmux new-session: %w", err)
	}
	var pane string
	if _, err := fmt.Sscan(string(out), &pane); err != nil {
		return fmt.Errorf("tmux new-session answered %q", out)
	}
	// Not before the pane is dead for good: a control client attached to where
	// one dies ends a tmux 3.2a with a fault (tmux issue 2828).
	if _, known := in.paneStatus(ctx, pane); known {
		in.control, _ = dialControl(ctx, in.command(context.Background(), "-N", "-C", "attach-session", "-t", "="+keeper))
	}
	if ctx.Err() != nil {
		return fmt.Errorf("tmux attach-session: %w", context.Cause(ctx))
	}
	return nil // without a connection processes do as well
}
