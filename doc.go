// Package tuiturn runs one turn of an interactive terminal agent as a function
// call: it prepares a home without a login, starts the agent in tmux or in a
// plain pty, hands it the prompt, reads the answer from the agent's own
// transcript, and leaves nothing behind.
//
//	home, err := tuiauth.ResolveHome(tuiauth.HomeConfig{RealHome: userHome, EnvToken: true})
//	if err != nil {
//		return err
//	}
//	runner := &tuiturn.Runner{Home: home, Token: tuiauth.Secret(token), Environ: os.Environ()}
//	defer runner.Close()
//	result, err := runner.Turn(ctx, tuiturn.Request{Prompt: "Why is the sky blue?"})
//
// A host that runs many turns bounds them with [Limits], keeps agents ready in a
// [Pool], and watches [Runner.Stats]. [Runner.Stream] gives the answer while it
// comes.
//
// [Runner.Open] keeps an agent for several turns: a [Conversation].
//
// # A prompt is data
//
// The agent's input line is made for a person: it runs "!…" in a shell, obeys
// "/…" and sends along any file named after an "@". A prompt given to a Runner
// reaches the model as text and does nothing else, whatever it says; see
// [Request] for what may differ from the prompt to achieve that, and for the
// options of a host that wants commands or mentions.
//
// # Permissions
//
// An agent asks a person before it uses some tools. [Request] has OnPermission
// for a host that decides in the person's place; without it the turn ends. What
// the agent does after a refusal is said at [Deny].
//
// # Errors
//
// A turn that gives no answer fails with an [*Error], whose text is one line and
// holds no secret. What happened is told by errors.Is with the Err variables of this
// package, tuiauth.ErrCredential and the context's errors, and by errors.As with
// [*APIError], [*BlockedError], [*ExitError] and [*DivergenceError]. [Outcome] makes
// one word of all that.
package tuiturn
