package tmuxctl

import (
	"context"
	"fmt"

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
		var watcher *proc.Watcher
		if watcher, err = proc.Watch(in.server.Pid); err == nil {
			go func() {
				<-watcher.Done()
				close(in.ended)
			}()
			return nil
		}
	}
	in.cleanup("kill-server")
	if ctx.Err() == nil {
		err = fmt.Errorf("%w: tmux 2.6 or later is needed", err)
	}
	return err
}
