package tuiturn

import "context"

// A Request is one turn. Only Prompt is required.
type Request struct {
	// Prompt is the text for the model, in UTF-8 and as long as the model takes.
	// One with NUL or with the end-of-paste sequence ESC [ 201 ~, or in another
	// encoding, fails with ErrInvalidPrompt, an empty one with ErrEmptyPrompt.
	//
	// It reaches the model as text, whatever it says. What the model receives
	// differs from it in this alone: white space at the end is not there; lines
	// end with a newline; other control characters stand as pictures (ESC as
	// "␛"); a text that begins with "/" or "!", or is one of the words exit,
	// quit, :q, :q!, :wq and :wq!, has a backslash in front. Besides, claude
	// 2.1.330 removes invisible characters and puts a backslash behind the "<" of
	// a tag named pasted_content, and 2.1.104 and 2.1.158 compose characters
	// (Unicode NFC). U+2028 and U+2029 become newlines on 2.1.294 to 2.1.332.
	//
	// What looks like a placeholder of the agent's, such as "[Image #1]" or
	// "[Pasted text #1 +3 lines]", has a backslash behind the bracket in two cases,
	// in which the agent would put other text in its place: within the first 500
	// UTF-16 units of a prompt of more than 10,000, if its number is 1 or 1<<31 or
	// more; and anywhere after a prompt that was longer than that, or was pasted,
	// and was interrupted, until another prompt has been answered. Until then, too,
	// a prompt that repeats most of that long one fails with ErrInvalidPrompt.
	Prompt string

	// AllowCommands lets a prompt that begins with "/" be a command of the
	// agent's, one that gives the model something to do, such as a skill. One
	// that only shows something to a person has no answer, and its turn ends
	// blocked. Exit words end the agent, and /export writes files: it is for
	// prompts of trusted people.
	AllowCommands bool

	// AllowMentions lets "@path" in the prompt send that file's content along,
	// "@name" address an agent or a server, and words such as "ultrathink"
	// change how the agent works. Without it the agent adds nothing of its own
	// to the prompt, reminders and its list of skills included.
	//
	// A mention stays mere text where the file can't be read within a second, as
	// on an overloaded machine: claude 2.1.104 and 2.1.158 then send the prompt
	// without it and say nothing. 2.1.330 was not seen to do so.
	AllowMentions bool

	// AllowProject lets the working directory instruct the agent: CLAUDE.md there
	// and in the directories above it, settings, hooks, skills. Whoever can write
	// there can then run commands as the user that the host runs as, and files
	// that links in it lead to are sent along. Prompts that it schedules are never
	// sent, and servers that it names never started.
	//
	// Without it the agent is told nothing of the directory's git repository, whose
	// configuration may name programs, and with NoTools its git finds none.
	// SECURITY.md has the table.
	AllowProject bool

	// Model is the model's name or alias; empty means the agent's own choice.
	Model string

	// WorkDir is the agent's working directory, whose files it may read. It must
	// exist; a relative one is relative to the calling process's current directory,
	// which empty means too. In the agent's home
	// it becomes a trusted directory.
	WorkDir string

	// NoTools offers the model no tool: it can answer, and nothing else. What a
	// prompt, or the model itself, can then reach is nothing but the conversation;
	// SECURITY.md has the table.
	NoTools bool

	// Tools are the built-in tools that the model is offered, by name ("Read",
	// "Grep"); nil means the agent's own choice. It says which there are and not
	// what they may do without asking.
	Tools []string

	// MCPConfig are the MCP servers that the agent is to use, as its --mcp-config
	// has them: {"mcpServers": {"NAME": {…}}}. Empty means none, whatever the home
	// and the working directory name. It may hold secrets: it goes through a file
	// that only this user can read. Keep it in env and headers: 2.1.104 and 2.1.158
	// write a server's command and URL to logs that stay, a file for each start, in
	// .cache/claude-cli-nodejs of their home.
	//
	// The use of a server's tool is asked about like any other, as
	// "mcp__NAME__TOOL". No version waits for its servers with the first prompt:
	// claude 2.1.158 and 2.1.330 were seen to go without. So keep an agent ready
	// (Runner.Pool), or have a conversation.
	MCPConfig string

	// SystemPrompt is added at the end of the agent's own system prompt. It goes
	// through a file, not an argument.
	SystemPrompt string

	// Effort is how much the model thinks: "low", "medium", "high", "xhigh"
	// (2.1.111 and later) or "max"; empty means the agent's own choice.
	Effort string

	// Env is added to the agent's environment, "KEY=VALUE" each, and wins over
	// what the Runner puts there. As to names see Runner.Env.
	Env []string

	// OnDelta, if not nil, is given the answer in pieces while it comes. Like the
	// callbacks of a Trace it is called from the turn's own goroutine, which
	// waits for it. Runner.Stream is the same as an iterator.
	OnDelta func(Delta)

	// OnPermission, if not nil, decides when the agent asks for a permission
	// while it works. Nothing is allowed by default: an error, which the turn's
	// then wraps, and a panic end the turn. Without OnPermission the turn ends with
	// a *BlockedError.
	//
	// Every tool use is asked about on its own, several in one message one after
	// the other, and those of subagents too. OnPermission is asked about one again
	// if the screen has changed before it has decided. It may take as long as the
	// turn's context lasts. Its own
	// context ends with the turn, and when the question is gone, because the agent
	// has ended or a person has answered it. It is called on a goroutine of
	// its own, which nobody waits for then: what it decides too late counts for
	// nothing. OnDelta may be called meanwhile.
	OnPermission func(context.Context, PermissionRequest) (Decision, error)

	// Trace, if not nil, is told how far the turn is.
	Trace *Trace
}
