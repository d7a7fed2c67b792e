package drive

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Cause returns the reason why ctx ended, if it has ended, because err then follows
// from that. Otherwise it returns err.
func Cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return Why(ctx)
	}
	return err
}

// Why returns the reason why ctx ended: its error, and the cause if the host gave one.
func Why(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) || errors.Is(cause, ErrClosed) || errors.Is(cause, ErrInterrupted) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// agentEnded tells whether err means that the agent has exited. A host's error may say
// the same of another process; that one does not count.
func agentEnded(err error) bool {
	_, blocked := errors.AsType[*BlockedError](err)
	return errors.Is(err, os.ErrProcessDone) && !blocked
}
