package tuiturn

import (
	"context"
	"encoding/json"
)

// An Agent is what a Runner has to know about one terminal agent. All that is
// true of one agent only stands behind it: its arguments and environment, what
// its screen says, how its input line is to be treated. [Claude] is the first.
//
// The methods are not exported: a second agent has to show which of them
// generalise.
type Agent interface {
	// path finds the program, given the PATH of the agent's environment.
	path(searchPath string) (string, error)

	// version asks the program at path for its version. env holds no token.
	version(ctx context.Context, path string, env []string) (string, error)

	// needsVersion tells whether what a setup asks for depends on the version,
	// and check refuses what a version does not have. It is empty if it is not
	// known.
	needsVersion(s *setup) bool
	check(s *setup, version string) error

	// args are the arguments for a new session. files are files with what the
	// methods of their names return.
	args(sessionID string, s *setup, files agentFiles) []string
	settings(s *setup, version string) string

	// env is what the agent's environment needs beyond the home's. What the
	// agent writes outside its home goes below tmp.
	env(s *setup, tmp string) []string

	// disarm returns the text to put into the input line so that the prompt
	// reaches the model as text, or ErrInvalidPrompt where no text does. left is
	// what earlier prompts have left in the input line.
	disarm(req *Request, left []string) (string, error)

	// leaves tells whether a text that was put into the input line, or pasted,
	// leaves something there although it is taken out again: left, which may be
	// empty, is what the next prompt must not hold.
	leaves(text string, pasted bool) (left string, ok bool)

	// read tells what the screen shows.
	read(screen string) view

	// foot is the part in which a dialog stands of a screen without input line.
	foot(screen string) string

	// fault is what the screen says is wrong with a settings file, empty if it
	// says nothing.
	fault(screen string) string

	// repeats reads the row in which a screen shows that a failed request will be
	// repeated, and which attempt that is. It is empty if there is none.
	repeats(screen string) (message string, attempt int)

	// asksPermission tells whether a yes to the dialog about a tool only lets it run.
	asksPermission(tool string) bool

	// dialog reads the menu of a question about a permission, nil if the screen shows
	// no menu.
	dialog(screen string) *dialog

	// shows tells how many parts of a tool use's input a dialog shows.
	shows(d *dialog, input json.RawMessage) int

	// decide puts a decision into the words of the agent's PermissionRequest hook.
	// A message is there with a refusal, or not at all.
	decide(allow bool, message string) string
}

// agentFiles are the paths of files that the agent is told of.
type agentFiles struct {
	settings     string
	systemPrompt string // empty: there is none
	mcp          string // the same
}

// A view is what a screen shows.
type view struct {
	// input: the input line is there; text is what it holds, as drawn.
	input bool
	text  string

	// working: the agent says, beside its input line, that it works.
	working bool

	// menu: the agent asks for a choice and takes no prompt.
	menu *BlockedError
}
