// Package agent is the contract between the engine, which runs any terminal agent, and
// a package that knows one of them. It holds an interface and plain values.
package agent

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/tuiturn/tuiturn/transcript"
)

// An Agent knows one terminal agent. Its methods are safe for concurrent use.
type Agent interface {
	// Traits returns the values that are the same for all sessions.
	Traits() Traits

	// Path finds the program. searchPath is the PATH of the agent's environment.
	Path(searchPath string) (string, error)

	// Version asks the program at path for its version. env holds no token.
	Version(ctx context.Context, path string, env []string) (string, error)

	// Launch says how to start a session. It returns an error if s needs something that
	// the agent's version does not have.
	Launch(s *Start) (Launch, error)

	// SoleStop tells whether no hook but ours can run when the session's agent is about to
	// stop, as far as files tell now, and no tool can write a report in our hook's place.
	// A command that was a prompt may have added a hook.
	SoleStop(s *Start) bool

	// Disarm returns the text to put into the input line, so that the prompt reaches
	// the model as text. If no text does that, the error wraps ErrInvalidPrompt. left
	// is the text that earlier prompts have left in the input line: see Leaves.
	Disarm(p *Prompt, left []string) (put string, err error)

	// Pasted returns the text to paste if the agent opens no editor. If a paste would
	// do more than insert the text, the error wraps ErrInvalidPrompt.
	Pasted(p *Prompt) (put string, err error)

	// Took tells whether a line of the log is the prompt p. It is not for commands,
	// which the log has in the agent's own form: see Names.
	Took(p *Prompt, recorded string) bool

	// Names tells whether a recorded command may be p. p is a command.
	Names(p *Prompt, recorded string) bool

	// Leaves tells whether p leaves something in the input line after p has been
	// removed from it. The next prompt must not contain left, which may be empty.
	Leaves(p *Prompt) (left string, ok bool)

	// See parses a screen.
	See(screen string) Sees

	// Shows counts the parts of a tool use's input that a menu shows.
	Shows(m *Menu, input json.RawMessage) int

	// Explain reads further notes on a screen. They explain errors and decide nothing,
	// because a model can draw the same.
	Explain(screen string) Notes

	// Asks tells whether a yes to the permission question about a tool lets the tool
	// run and does nothing else.
	Asks(tool string) bool

	// Decide returns a decision in the format of the agent's permission hook. Only a
	// refusal may have a message.
	Decide(allow bool, message string) string
}

// ErrInvalidPrompt is returned for a prompt that cannot be given to the agent as text.
var ErrInvalidPrompt = errors.New("the prompt cannot be typed")

// Traits are the values that are the same for all sessions of an agent.
type Traits struct {
	Name   string   // "claude"
	Tested []string // the versions that the tests run, the oldest first

	// Command is the prefix of a prompt that the agent takes for a command of its own.
	Command string

	Keys Keys

	// AskingTools are the tools that ask a person for something else than a
	// permission.
	AskingTools []string

	// NotTaken says why the agent may have ignored a prompt without a line in its log.
	NotTaken string

	// Log is the format of session logs and of hook reports. If Log.Path is nil, the
	// agent names its sessions itself and ignores Start.Session. A hook must then
	// report a *transcript.Started with the name and the path, when the agent starts or
	// with its first prompt. Until then Result.SessionID, Error.SessionID and
	// Conversation.SessionID are empty.
	//
	// If a hook reports a *transcript.APIError, the turn fails with that error. Its
	// PromptID should be the one of the prompt's line in the log. Otherwise an error
	// of the previous turn, reported late, can end the next turn.
	Log *transcript.Format

	// StopsLast is the oldest version that has recorded its final message when its Stop
	// hook runs; empty: none.
	StopsLast string

	TokenVar string   // the variable that carries the token
	HomeVars []string // variables that move the agent's home, besides HOME
	Harmful  []string // variables with which no turn works
}

// Keys are names of keys, in tmux's notation.
type Keys struct {
	Editor string // opens an editor with the input line in it
	Clear  string // empties a row of the input line
	Submit string // sends the input line
	Stop   string // stops the agent, or leaves a menu without a choice
}

// A Start describes a session to be started: the caller's wishes, and where the
// session's files stand.
type Start struct {
	Session string // a UUID; with Resume, the agent's name for the session
	Resume  bool   // the session exists

	Model, Effort string // empty: the agent's default
	SystemPrompt  string // to be appended; empty: nothing
	MCPConfig     string // JSON; empty: no servers
	Tools         []string
	NoTools       bool // no tools; else nil Tools mean all
	AllowProject  bool // the working directory may instruct the agent
	AllowMentions bool // mentions and magic words in the prompt count
	Stream        bool // the agent is to report what it shows

	Home string // the agent's home

	Dir string // where Files stand, private
	Tmp string // the agent's TMPDIR

	// Reach are the variables by which the agent is reached: its editor, and the file
	// in which its hooks report. Env are the caller's variables, which replace those of
	// Launch. Both are added to the environment in any case.
	Reach, Env []string

	// Version returns the program's version, or "" if the version is unknown. The call
	// may take a second, so call it only if something depends on the version.
	Version func() string
}

// A Launch says how to start a session.
type Launch struct {
	Args  []string
	Env   []string // added to the home's environment
	Files []File   // files that the arguments name
}

// A File is a file that the agent reads when it starts.
type File struct{ Path, Content string }

// A Prompt is a prompt on its way to the model.
type Prompt struct {
	Text     string // the caller's text
	Commands bool   // the prompt may be a command of the agent's
	Mentions bool   // mentions and magic words in the prompt count

	Put    string // the text in the input line
	Pasted bool   // the text was pasted
}

// Sees is the parsed content of a screen.
type Sees struct {
	// Input tells whether the input line is there. Text is the text in the input line,
	// as drawn.
	Input bool
	Text  string

	// Working tells whether the agent says, beside its input line, that it works.
	Working bool

	// Menu is a choice that the agent asks for; nil means none. The agent takes no
	// prompt meanwhile.
	Menu *Menu

	// Foot is the part of a screen without an input line in which a dialog stands.
	Foot string
}

// Kinds of menus. A kind only labels an error: the shape has decided that there is a
// menu.
const (
	Trust      = "trust"      // asks whether to trust the working directory
	Login      = "login"      // the agent has no login
	Onboarding = "onboarding" // setup questions at the first start
	Settings   = "settings"   // a settings file has errors
	Permission = "permission" // asks whether to use a tool
	Other      = "menu"
)

// A Menu is a choice on the screen. The same question has the same Text and Options,
// whichever option is highlighted.
type Menu struct {
	Kind        string
	Options     []string // in order
	Highlighted int      // the index of the option that Enter chooses; -1 means none

	Text  string // the dialog's text above the options
	Plain bool   // one option is a plain yes, one a plain no
}

// Notes explain an error.
type Notes struct {
	Fault   string // the errors in a settings file
	Option  string // an argument that the agent does not know, and has ended because of
	Retry   string // the row about the retry of a failed request
	Attempt int    // the number of that retry
}
