package drive

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Cause prefers the reason why ctx ended to the error that followed from it.
func Cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return Why(ctx)
	}
	return err
}

// Why is the reason why ctx ended: its error, and the cause that a host gave.
func Why(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) || errors.Is(cause, ErrClosed) || errors.Is(cause, ErrInterrupted) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// agentEnded tells whether err is that the agent has ended, and not a host's error
// that says so of another process.
func agentEnded(err error) bool {
	_, blocked := errors.AsType[*BlockedError](err)
	return errors.Is(err, os.ErrProcessDone) && !blocked
}
