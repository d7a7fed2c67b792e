package tuiturn

import (
	"context"

	"github.com/tuiturn/tuiturn/internal/drive"
)

// Locate finds the agent's program as a turn does, and asks the program for its version.
// The program gets no token. It has ten seconds to answer; claude takes up to a second.
// The version is cached for ten minutes, or until the program's file changes. If only
// the version is unknown, the path is still valid beside the error. The error is no
// *Error.
func (r *Runner) Locate(ctx context.Context) (path, version string, err error) {
	env := r.host().Tokenless()
	if path, err = r.agent().Path(drive.Lookup(env, "PATH")); err != nil {
		return "", "", err
	}
	version, err = r.agent().Version(ctx, path, env)
	return path, version, drive.Cause(ctx, err)
}
