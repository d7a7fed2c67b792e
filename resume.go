package tuiturn

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/tuiturn/tuiturn/transcript"
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

// find begins the conversation where a session has ended. The agent goes on in
// the same file, and writes nothing in it again (2.1.104 to 2.1.330).
func (c *Conversation) find(workdir, session string) error {
	home := c.runner.Home.Dir
	path, err := transcript.FindIn(home, workdir, session)
	if err != nil {
		return err
	}
	if path != transcript.Path(home, workdir, session) {
		return fmt.Errorf("session %s is one of another working directory: name that in Request.WorkDir: %w", session, fs.ErrNotExist)
	}
	for ev, err := range transcript.Read(path) {
		if err != nil {
			return err
		}
		if user, ok := ev.Body.(*transcript.User); ok && !ev.Meta && !ev.Sidechain {
			c.remember(user.Text) // the agent shows it again
		}
	}
	c.session.Skip(path)
	return nil
}
