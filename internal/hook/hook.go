// Package hook has the commands that an agent runs as its hooks. They tell the host
// what the agent's log does not tell, or tells later: the text that the agent shows,
// that it is about to stop, and that it asks a person for a permission. Each command
// appends a line of JSON to a file of the session, which is followed like a log. Only
// permissions depend on a hook: a policy can switch hooks off, and a line can be lost.
package hook

// FileVar is the variable in the agent's environment that holds the file's path.
const FileVar = "TUITURN_HOOKS"

// reportCommand runs in a shell of its own for each event. cat appends a line in one
// write if the line is shorter than a pipe's buffer, 64 KiB. A line that another one
// has torn does not decode.
//
// For the agent, a hook that exits with status 2 has an objection, and the hook's
// output is an instruction. A shell exits with 2 by itself if it cannot open a file:
// 2.1.104 then asked the model 280 times in 20 s, and 2.1.158 took the model's reply to
// the shell's message for the answer. So the command prints nothing and exits with 0,
// whatever happens to the file, the PATH or the disk.
const reportCommand = `trap 'exit 0' EXIT
{ cat >>"$` + FileVar + `"; } >/dev/null 2>&1
exit 0`

// Settings returns the settings that register hooks: a hook that reports for each of
// events, and a hook that asks for askEvent.
func Settings(askEvent string, events ...string) map[string]any {
	register := func(hook map[string]any) []any {
		hook["type"] = "command"
		return []any{map[string]any{"hooks": []any{hook}}}
	}
	all := map[string]any{askEvent: register(map[string]any{"command": askCommand, "timeout": askWait})}
	for _, event := range events {
		all[event] = register(map[string]any{"command": reportCommand})
	}
	return all
}

// askCommand reports a question and prints the decision. The report is a file of its
// own, of any size. A line in the hooks' file names it. The decision comes through a
// FIFO, so the process uses no processor time while it waits.
//
// An exit status of 2 would deny the tool use, and any output would be a decision. So
// the command exits with 0 and prints nothing if anything fails: see reportCommand.
const askCommand = `trap 'exit 0' EXIT
{ f=${` + FileVar + `%/*}/` + askPrefix + `$$ &&
cat >"$f" && mkfifo -m 600 "$f` + replySuffix + `" &&
echo '{"hook_event_name":"` + Asked + `","pid":'$$'}' >>"$` + FileVar + `" &&
cat "$f` + replySuffix + `"; } 2>/dev/null
exit 0`

const (
	askPrefix   = "ask."
	replySuffix = ".reply"

	// Asked is the event in askCommand's line. The line also has the hook's process id.
	Asked = "Asked"

	// askWait is the hook's timeout for the decision, in seconds. An agent's default
	// timeout for hooks is 60 s or 600 s. A value above 24 days would mean no time at
	// all.
	askWait = 1_000_000
)
