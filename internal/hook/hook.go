// Package hook has the commands that an agent runs as its hooks. They tell the host
// what the agent's log does not, or later: what the agent shows of an answer, that it
// is about to stop, and that it asks a person for a permission. Each appends a line of
// JSON to a file of the session's, which is followed like a log. Nothing but a
// permission rests on a hook: a policy can switch hooks off, and a line can be lost.
package hook

// FileVar names the file in the agent's environment.
const FileVar = "TUITURN_HOOKS"

// reportCommand runs in a shell of its own for each event. cat appends a line in
// one write as long as that is shorter than a pipe holds, 64 KiB; one that is
// torn by another does not decode.
//
// To the agent a hook that ends with status 2 has an objection, and what it prints
// is an instruction. A shell ends with 2 by itself when it cannot open a file:
// 2.1.104 then asked the model 280 times in 20 s, and 2.1.158 took the model's reply
// to the shell's message for the answer. So whatever happens to the file, the PATH
// or the disk, the command prints nothing and ends with 0.
const reportCommand = `trap 'exit 0' EXIT
{ cat >>"$` + FileVar + `"; } >/dev/null 2>&1
exit 0`

// Settings are the settings that register hooks for events: those that report,
// and askEvent, whose hook asks.
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

// askCommand reports a question and prints the decision. The report is a file of
// its own, of any size, and a line in the hooks' file that names it. The decision
// comes through a FIFO, so that the process takes no time while it waits.
//
// A status of 2 would deny the tool use and any text would be a decision, so it
// ends with 0 and prints nothing whatever goes wrong: see reportCommand.
const askCommand = `trap 'exit 0' EXIT
{ f=${` + FileVar + `%/*}/` + askPrefix + `$$ &&
cat >"$f" && mkfifo -m 600 "$f` + replySuffix + `" &&
echo '{"hook_event_name":"` + Asked + `","pid":'$$'}' >>"$` + FileVar + `" &&
cat "$f` + replySuffix + `"; } 2>/dev/null
exit 0`

const (
	askPrefix   = "ask."
	replySuffix = ".reply"

	// Asked is the event of the line that askCommand writes, with the process id of
	// the hook.
	Asked = "Asked"

	// askWait is how long a hook may wait for the decision, in seconds. By default an
	// agent ends its hooks after 60 s or 600 s; more than 24 days would be none.
	askWait = 1_000_000
)
