package tmuxctl

import (
	"context"
	"time"

	"github.com/tuiturn/tuiturn/internal/proc"
)

const (
	// commandTimeout bounds one tmux command whose context has no deadline: a server
	// that was stopped answers nobody.
	commandTimeout = 10 * time.Second

	// busyFactor is how many times longer a server may take that was not stopped. On
	// two cores with twenty busy programs a server took more than 10 s for one command,
	// and more than 2 s to learn of a program's end.
	busyFactor = 3
)

// patient bounds the wait for the server: by limit if the server has been stopped by
// then, else by busyFactor times that. The context's cause is
// context.DeadlineExceeded.
func (in *instance) patient(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, busyFactor*limit)
	ctx, cut := context.WithCancelCause(ctx)
	timer := time.AfterFunc(limit, func() {
		if proc.Stopped(in.server.Pid) {
			cut(context.DeadlineExceeded)
		}
	})
	return ctx, func() {
		timer.Stop()
		cut(nil)
		cancel()
	}
}
