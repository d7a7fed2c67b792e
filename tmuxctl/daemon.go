package tmuxctl

import (
	"context"
	"fmt"
	"sync"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// startDaemon starts a server of a tmux that has no foreground mode: the client
// that makes the keeper starts it, and it is init's child. It ends with its last
// session, which the keeper is.
//
// Such a client starts a server also where the one that it was meant for has
// just ended. Only new-session does so, and [Server.NewSession] then looks whose
// process answered; a stray server without a session ends by itself.
func (in *instance) startDaemon(ctx context.Context) error {
	in.can.foreground = false
	in.ended = make(chan struct{})
	// Cut short, the client could not tell whether there is a server.
	whole, cancel := prolong(ctx)
	defer cancel()
	err := in.keep(whole)
	if err == nil {
		if _, err = in.watch(); err == nil {
			in.up = true
			return nil
		}
	}
	in.cleanup("kill-server")
	if ctx.Err() == nil {
		err = fmt.Errorf("%w: tmux 2.6 or later is needed", err)
	}
	return err
}

// watch closes in.ended when the server, which is not our child, has ended,
// unless it is let go of before.
func (in *instance) watch() (letGo func(), err error) {
	watcher, err := proc.Watch(in.server.Pid)
	if err != nil {
		return nil, err
	}
	quit := make(chan struct{})
	go func() {
		defer watcher.Stop()
		select {
		case <-watcher.Done():
			close(in.ended)
		case <-quit:
		}
	}()
	return sync.OnceFunc(func() { close(quit) }), nil
}
