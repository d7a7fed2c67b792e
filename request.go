package tuiturn

import "context"

// A Request describes one turn. Only Prompt is required.
type Request struct {
	// Prompt is the text for the model, in UTF-8, as long as the model accepts. A
	// prompt in another encoding, with a NUL byte or with the end-of-paste sequence
	// ESC [ 201 ~ fails with ErrInvalidPrompt. An empty prompt fails with
	// ErrEmptyPrompt.
	//
	// The prompt reaches the model as text, whatever it says. The model receives it
	// with these changes only:
	//   - White space at the end is removed.
	//   - Lines end with a newline.
	//   - Other control characters become pictures (ESC becomes "␛").
	//   - A backslash goes before a text that begins with "/" or "!", or that is one of
	//     the words exit, quit, :q, :q!, :wq and :wq!.
	//   - A backslash goes behind the "[" of some placeholders: see below.
	//   - Claude 2.1.330 removes invisible characters, and puts a backslash behind the
	//     "<" of a tag named pasted_content.
	//   - Claude 2.1.104 and 2.1.158 compose characters (Unicode NFC).
	//   - Claude 2.1.294 to 2.1.332 make U+2028 and U+2029 newlines.
	//
	// Placeholders of the agent's, such as "[Image #1]" and "[Pasted text #1 +3
	// lines]", get a backslash where the agent would replace them by other text:
	//   - In the first 500 UTF-16 units of a prompt of more than 10,000, if their
	//     number is 1, or 1<<31 or more.
	//   - Everywhere, after a turn with such a long prompt, or with one that the Runner
	//     had to paste, was interrupted, until another prompt has been answered. Until
	//     then a prompt that repeats most of the long one fails with ErrInvalidPrompt.
	Prompt string

	// AllowCommands lets a prompt that begins with "/" be a command of the agent's. The
	// command must give the model something to do, as a skill does. A command that only
	// shows something to a person has no answer, and its turn fails: with a
	// *BlockedError if the command opens a dialog. Exit words end the agent
	// (*ExitError), and /export writes files. So allow commands only for prompts of
	// trusted people.
	AllowCommands bool

	// AllowMentions gives meaning to mentions and to some words. "@path" in the prompt
	// sends that file's content, "@name" addresses an agent or a server, and words such
	// as "ultrathink" change how the agent works. Without AllowMentions the agent adds
	// nothing of its own to the prompt, neither reminders nor its list of skills.
	//
	// A mention stays mere text if the file can't be read within a second, as on an
	// overloaded machine. Claude 2.1.104 and 2.1.158 then send the prompt without the
	// file and report nothing. 2.1.330 was not seen to do so.
	AllowMentions bool

	// AllowProject lets the working directory instruct the agent, by its settings,
	// hooks, skills and CLAUDE.md, and by the CLAUDE.md of the directories above.
	// Whoever can write there can then run commands as the host's user. The agent also
	// sends files that links in the directory lead to. Prompts that the directory
	// schedules are never sent, and servers that it names are never started.
	//
	// Without AllowProject the agent learns nothing of the directory's git repository,
	// whose configuration may name programs. If NoTools is set as well, the agent's git
	// finds no repository. See "What a hostile directory can do" in SECURITY.md.
	AllowProject bool

	// Model is the model's name or alias; empty means the agent's own choice.
	Model string

	// WorkDir is the agent's working directory. The agent may read its files. The
	// directory must exist. A relative path starts at the calling process's current
	// directory, and an empty one means that directory. WorkDir becomes a trusted
	// directory in the agent's home.
	WorkDir string

	// NoTools offers the model no tool, so the model can only answer. The prompt and
	// the model then reach nothing but the conversation. See "What a hostile prompt can
	// reach" in SECURITY.md.
	NoTools bool

	// Tools names the built-in tools that the model is offered ("Read", "Grep"). Nil
	// means the agent's own choice, an empty slice none. To name tools and set NoTools
	// is an error. Tools does not say what a tool may do without asking.
	Tools []string

	// MCPConfig configures the agent's MCP servers, in the form of its --mcp-config:
	// {"mcpServers": {"NAME": {…}}}. Empty means no servers, whatever the home and the
	// working directory name. MCPConfig with NoTools is an error. MCPConfig may hold
	// secrets: it goes through a file that only this user can read. Keep secrets in env
	// and headers. Claude 2.1.104 and 2.1.158 write a server's command and URL to logs
	// in .cache/claude-cli-nodejs of their home, one file for each start, and the logs
	// stay.
	//
	// The agent asks before it uses a server's tool, as it does for other tools. The
	// tool's name is "mcp__NAME__TOOL". No version waits for its servers before the
	// first prompt: claude 2.1.158 and 2.1.330 were seen to start without them. So keep
	// an agent ready (Runner.Pool), or use a conversation.
	MCPConfig string

	// SystemPrompt is appended to the agent's own system prompt. It goes through a
	// file, not an argument.
	SystemPrompt string

	// Effort sets how much the model thinks: "low", "medium", "high", "xhigh" (claude
	// 2.1.111 and later) or "max". Empty means the agent's own choice.
	Effort string

	// Env is added to the agent's environment, as "KEY=VALUE" entries. It overrides
	// Runner.Env and the variables that the Runner sets itself. A turn fails if Env
	// holds a name that Runner.Env must not hold.
	Env []string

	// OnDelta, if not nil, gets the answer in pieces while the agent writes. It is
	// called on the goroutine that called Turn, which waits for it, with the rules for
	// the callbacks of a Trace. Runner.Stream offers the same as an iterator.
	OnDelta func(Delta)

	// OnPermission, if not nil, decides when the agent asks for a permission during the
	// turn. Nothing is allowed by default. An error ends the turn, whose error wraps
	// it. A panic ends the turn and is raised again in the caller of Turn. Without
	// OnPermission the turn ends with a *BlockedError.
	//
	// Each call is about one tool use, which can be a subagent's. For several tool uses
	// in one message, the agent asks one question after the other. OnPermission is
	// called again for the same tool use if the screen changed before it decided.
	//
	// OnPermission may take as long as the turn's context lasts. Its own context ends
	// with the turn, and when the question is gone, because the agent has exited or a
	// person has answered. OnPermission is called on a goroutine of its own. After its
	// context has ended nobody waits for it: its decision is ignored, and its panic
	// only logged. It may call Close and Interrupt. OnDelta may be called at the same
	// time.
	OnPermission func(context.Context, PermissionRequest) (Decision, error)

	// Trace, if not nil, is told about the turn's progress.
	Trace *Trace
}
