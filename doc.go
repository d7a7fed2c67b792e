// Package tuiturn runs one turn of an interactive terminal agent as a function call. It
// prepares a home without a login, starts the agent in tmux or in a plain pty, and hands
// over the prompt. It reads the answer from the agent's own transcript and leaves no
// process behind. The transcripts stay in the home: transcript.Prune removes old ones.
//
//	home, err := tuiauth.ResolveHome(tuiauth.HomeConfig{RealHome: userHome, EnvToken: true})
//	if err != nil {
//		return err
//	}
//	runner := &tuiturn.Runner{Home: home, Token: tuiauth.Secret(token), Environ: os.Environ()}
//	defer runner.Close()
//	result, err := runner.Turn(ctx, tuiturn.Request{Prompt: "Why is the sky blue?"})
//
// [Runner.Stream] returns the answer while the agent writes it. [Runner.Open] keeps an
// agent for several turns: a [Conversation]. A host that runs many turns limits them
// with [Limits], keeps agents ready in a [Pool], and watches [Runner.Stats].
//
// # A prompt is data
//
// The agent's input line is made for a person: it runs "!…" in a shell, obeys "/…" and
// sends any file named after an "@". A prompt given to a Runner reaches the model as
// text and does nothing else, whatever the prompt says. Request.Prompt lists the small
// changes to the text that this needs. [Request] also has options for a host that wants
// commands or mentions.
//
// # Permissions
//
// An agent asks a person before it uses some tools. Request.OnPermission lets the host
// decide instead of a person. Without OnPermission the turn ends. [Deny] says what the
// agent does after a refusal.
//
// # Errors
//
// A turn without an answer fails with an [*Error]. Its text is one line and holds no
// secret. To find out what happened, use errors.Is with the Err variables of this
// package and of tuiauth, and with the context's error and cause. Use errors.As with
// [*APIError], [*BlockedError], [*ExitError] and [*DivergenceError]. [Outcome] reduces
// an error to one word.
//
// # Terms
//
// The host is the program that uses this package. The operator is the person who runs
// the host. A home is the agent's HOME directory; package tuiauth prepares it. A ready
// agent has started and waits for a prompt. An aside is text that the agent shows and
// that is not the answer: see [Delta]. Drift is a difference between a transcript and
// the format that this package knows: see transcript.Drift.
package tuiturn
