package tuiturn

import (
	"context"
)

// Resume opens an earlier session as a conversation: the agent remembers what was said
// in it. The session may be of this Runner, or of an earlier one with the same home.
// req.WorkDir must be the session's. The rest of req, and ctx, are as in Open.
//
// The error wraps fs.ErrNotExist if there is no such session, or if req.WorkDir is not
// the session's. It wraps ErrBusy while the session is open in another conversation of
// this process in the same home. What other processes have open is not noticed.
func (r *Runner) Resume(ctx context.Context, sessionID string, req Request) (*Conversation, error) {
	return r.converse(ctx, sessionID, req, true)
}
