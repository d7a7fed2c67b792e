package drive

import (
	"context"

	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/internal/ptyterm"
	"github.com/tuiturn/tuiturn/internal/terminal"
	"github.com/tuiturn/tuiturn/tmuxctl"
)

// A Place is where panes are made: a private directory and a tmux server in it. The
// directory's lease tells a later sweep who owns the directory.
type Place struct {
	Lease *lease.Lease
	Tmux  *tmuxctl.Server
}

// Start starts a program in a terminal: a pty for kind "pty", otherwise tmux.
func (p *Place) Start(ctx context.Context, kind string, cfg terminal.Config) (terminal.Terminal, error) {
	if kind == "pty" {
		// A nil *Term in a non-nil interface would hide the failure.
		if term, err := ptyterm.Start(ctx, cfg); err != nil {
			return nil, err
		} else {
			return term, nil
		}
	}
	session, err := p.Tmux.NewSession(ctx, tmuxctl.SessionConfig{
		Name: cfg.Name,
		Command: tmuxctl.Command{
			Path: cfg.Path,
			Args: cfg.Args,
			Env:  cfg.Env,
			Dir:  cfg.Dir,
		},
		Cols: cfg.Cols,
		Rows: cfg.Rows,
	})
	if err != nil {
		return nil, err
	}
	return session, nil
}
