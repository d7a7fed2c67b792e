package tuiturn

import (
	"context"

	"github.com/tuiturn/tuiturn/internal/drive"
)

// Locate finds the agent's program as a turn does, and asks it for its version. It
// has ten seconds to answer, of which claude needs up to one; the answer is then
// taken for granted for ten minutes, or until the program's file changes. The path
// is right also when only the version cannot be told. The program gets no token.
func (r *Runner) Locate(ctx context.Context) (path, version string, err error) {
	env := r.host().Tokenless()
	if path, err = r.agent().Path(drive.Lookup(env, "PATH")); err != nil {
		return "", "", err
	}
	version, err = r.agent().Version(ctx, path, env)
	return path, version, drive.Cause(ctx, err)
}
