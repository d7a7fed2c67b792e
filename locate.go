package tuiturn

import (
	"context"

	"github.com/tuiturn/tuiturn/tuiauth"
)

// Locate finds the agent's program as a turn does, and asks it for its version. It
// has ten seconds to answer, of which claude needs up to one; the answer is then
// taken for granted for ten minutes, or until the program's file changes. The path
// is right also when only the version cannot be told. The program gets no token.
func (r *Runner) Locate(ctx context.Context) (path, version string, err error) {
	env := r.tokenless()
	if path, err = r.agent().Path(lookup(env, "PATH")); err != nil {
		return "", "", err
	}
	version, err = r.agent().Version(ctx, path, env)
	return path, version, err
}

// tokenless is the agent's environment for what needs no login.
func (r *Runner) tokenless() []string {
	return append(tuiauth.Environ(r.Environ, r.Home, ""), r.Env...)
}
