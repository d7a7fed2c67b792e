package tmuxctl

import (
	"context"
	"fmt"
	"sync"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// startDaemon starts a server of a tmux that has no foreground mode. The client that
// makes the keeper starts the server, which is then a child of init. The server ends
// with its last session, the keeper.
//
// If the server has just ended, such a client starts another one. Only new-session
// does so, and [Server.NewSession] then checks which process answered. A stray server
// without a session ends by itself.
func (in *instance) startDaemon(ctx context.Context) error {
	in.can.foreground = false
	in.ended = make(chan struct{})
	// Cut short, the client could not tell whether there is a server.
	whole, cancel := in.prolong(ctx)
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

// watch closes in.ended when the server, which is not our child, has ended. The
// function that it returns stops the watch.
func (in *instance) watch() (stopWatch func(), err error) {
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
