// Package tuiauth decides which HOME an interactive agent runs in, what is in
// it, and which environment the agent gets.
//
// The agent keeps its login in $HOME/.claude/.credentials.json, refreshes it and
// writes it back. A host that starts and ends an agent per request races that
// refresh: the refresh token is single-use, and once a kill falls between its
// use and the write, every later turn fails with 401 until someone logs in
// again. The cure is a home without any login, and the one credential, a
// long-lived token, in the environment: then nothing is ever refreshed.
//
//	home, err := tuiauth.ResolveHome(tuiauth.HomeConfig{RealHome: realHome, EnvToken: token != ""})
//	report, err := tuiauth.PrepareHome(home, workdir)
//	env := tuiauth.Environ(os.Environ(), home, token)
//	sources, err := tuiauth.Audit(home, workdir, env)
//
// What PrepareHome can't put right, because an operator wrote it, it refuses;
// Audit then tells which credential the agent will use, before it is started.
//
// The package reads no environment variable, never opens the agent's
// credentials and never uses the network. Its functions are safe for concurrent
// use, by several processes on the same home too.
package tuiauth
