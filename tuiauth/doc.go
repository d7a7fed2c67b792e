// Package tuiauth chooses the HOME of an interactive agent, prepares the files in
// that home, and builds the agent's environment.
//
// An agent keeps its login in a file of its home, refreshes the login and writes
// it back. A host that starts and ends an agent per request races that refresh.
// The refresh token is single-use. When the agent is killed after the token was
// used and before the new one is written, every later turn fails with 401 until
// someone logs in again. The cure is a home without a login and a long-lived token
// in the environment. Then nothing is refreshed.
//
//	home, err := tuiauth.ResolveHome(tuiauth.HomeConfig{RealHome: realHome, EnvToken: token != ""})
//	report, err := tuiauth.PrepareHome(home, workdir)
//	env := tuiauth.Environ(os.Environ(), home, token)
//	sources, err := tuiauth.Audit(home, workdir, env)
//
// PrepareHome refuses a home with a credential that an operator wrote there. Audit
// tells which credential the agent will use, before the agent is started.
//
// The agent is claude unless a [Layout] describes another one.
//
// To move a file aside is to rename it, in the same directory, to a name that the
// agent does not read: its own name with ".aside-1" appended, or the next number
// that is free. The file then still holds what it held.
//
// # Claude
//
// The token is in CLAUDE_CODE_OAUTH_TOKEN. The login is .claude/.credentials.json.
// PrepareHome changes .claude.json, or .claude/.config.json where that older name is
// in use. It sets these keys:
//
//   - the working directory is trusted: the only key in the Real mode
//   - the onboarding is done, and a theme is chosen
//   - files outside the working directory that its CLAUDE.md names are not read,
//     and the agent does not ask about them
//
// An isolated home is refused if one of its settings files holds apiKeyHelper or
// primaryApiKey, or if its env holds a token, a key, a service address, a header or
// a configuration directory of the agent or of its provider. Proxies are allowed.
// A login of the provider's tools in .config/anthropic is refused too.
//
// On macOS the agent also looks for a login in the keychain, and no HOME isolates
// the keychain. [Audit] reports the keychain as unknown.
//
// The rules were seen on interactive versions from 2.1.104 to 2.1.330. Not every
// version follows every rule.
//
// # Limits
//
// The package reads no environment variable, never opens a login file and never
// uses the network. Its functions are safe for concurrent use, also by several
// processes on the same home.
package tuiauth
