package tuiturn

import (
	"context"
)

// Resume is Open for a session that there has been, of this Runner or of one
// before it in the same home: the agent knows what was said in it. req is to have
// the session's WorkDir.
//
// The error wraps fs.ErrNotExist if there is no such session, and is ErrBusy while
// a conversation of this Runner has it.
func (r *Runner) Resume(ctx context.Context, sessionID string, req Request) (*Conversation, error) {
	return r.converse(ctx, sessionID, req, true)
}
