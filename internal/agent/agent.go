// Package agent is the contract between the engine, which runs any terminal agent,
// and a package that knows one of them. It holds an interface and plain values.
package agent

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/tuiturn/tuiturn/transcript"
)

// An Agent knows one terminal agent. Its methods are safe for concurrent use.
type Agent interface {
	// Traits returns what is the same for all sessions.
	Traits() Traits

	// Path finds the program, given the PATH of the agent's environment.
	Path(searchPath string) (string, error)

	// Version asks the program at path for its version. env holds no token.
	Version(ctx context.Context, path string, env []string) (string, error)

	// Launch says how to start a session. It refuses what the agent's version
	// does not have.
	Launch(s *Start) (Launch, error)

	// Disarm returns the text to put into the input line, so that the prompt
	// reaches the model as text. Its error wraps ErrInvalidPrompt where no text
	// does. left is what earlier prompts have left in the input line: see Leaves.
	Disarm(p *Prompt, left []string) (put string, err error)

	// Pasted returns the text to paste instead where the agent opens no editor.
	// Its error wraps ErrInvalidPrompt where a paste would do more than insert it.
	Pasted(p *Prompt) (put string, err error)

	// Took tells whether the log has p as recorded. A command, which the log has
	// in the agent's own form, does not count: see Names.
	Took(p *Prompt, recorded string) bool

	// Names tells whether a recorded command may be p, which is a command.
	Names(p *Prompt, recorded string) bool

	// Leaves tells whether p leaves something in the input line although it is
	// taken out again: left, which may be empty, is what the next prompt must not
	// hold.
	Leaves(p *Prompt) (left string, ok bool)

	// See reads a screen.
	See(screen string) Sees

	// Shows counts the parts of a tool use's input that a menu shows.
	Shows(m *Menu, input json.RawMessage) int

	// Explain reads what a screen says besides. It explains errors and decides
	// nothing: a model can draw the same.
	Explain(screen string) Notes

	// Asks tells whether a yes to the question about a tool only lets it run.
	Asks(tool string) bool

	// Decide puts a decision into the words of the agent's permission hook. A
	// message comes with a refusal, or not at all.
	Decide(allow bool, message string) string
}

// ErrInvalidPrompt is the error of a prompt that cannot be given to the agent as
// text.
var ErrInvalidPrompt = errors.New("the prompt cannot be typed")

// Traits are the same for all sessions of an agent.
type Traits struct {
	Name   string   // "claude"
	Tested []string // the versions that the tests run, the oldest first

	// Command is what a prompt begins with that the agent takes for a command of
	// its own.
	Command string

	Keys Keys

	// AskingTools are the tools that ask a person something else than a permission.
	AskingTools []string

	// NotTaken says what may have kept the agent from taking a prompt without a word
	// in its log.
	NotTaken string

	Log *transcript.Format // of its sessions, and of what its hooks report

	TokenVar string   // the variable that carries the token
	HomeVars []string // variables that move the agent's home, besides HOME
}

// Keys are names of keys, as tmux has them.
type Keys struct {
	Editor string // opens an editor with the input line in it
	Clear  string // empties a row of the input line
	Submit string // sends the input line
	Stop   string // stops the agent, or leaves a menu without a choice
}

// A Start is a session to be started. It is what the caller asked for, and where
// files of the session may stand.
type Start struct {
	Session string // a UUID
	Resume  bool   // the session exists

	Model, Effort string // empty: the agent's default
	SystemPrompt  string // to be appended; empty: nothing
	MCPConfig     string // JSON; empty: no servers
	Tools         []string
	NoTools       bool // no tools; else nil Tools mean all
	AllowProject  bool // the working directory may instruct the agent
	AllowMentions bool // mentions and magic words in the prompt count
	Stream        bool // the agent is to report what it shows

	Dir string // where Files stand, private
	Tmp string // the agent's TMPDIR

	// Version returns the program's version, empty if it cannot be told. It may
	// take a second: call it only if something depends on it.
	Version func() string
}

// A Launch says how to start a session.
type Launch struct {
	Args  []string
	Env   []string // beside that of the home
	Files []File   // that the arguments name
}

// A File is one that the agent reads when it starts.
type File struct{ Path, Content string }

// A Prompt is a prompt on its way to the model.
type Prompt struct {
	Text     string // as the caller gave it
	Commands bool   // it may be a command of the agent's
	Mentions bool   // names of files and words of power in it count

	Put    string // as it stands in the input line
	Pasted bool   // it was pasted
}

// Sees is what a screen shows.
type Sees struct {
	// Input: the input line is there. Text is what it holds, as drawn.
	Input bool
	Text  string

	// Working: the agent says, beside its input line, that it works.
	Working bool

	// Menu is a choice that the agent asks for; it takes no prompt meanwhile.
	Menu *Menu

	// Foot is the part of a screen without input line in which a dialog stands.
	Foot string
}

// Kinds of menus. They label an error: whether there is a menu is decided by its
// shape.
const (
	Trust      = "trust"      // of the working directory
	Login      = "login"      // there is none
	Onboarding = "onboarding" // at the first start
	Settings   = "settings"   // a settings file has errors
	Permission = "permission" // to use a tool
	Other      = "menu"
)

// A Menu is a choice on the screen. The same question has the same Text and
// Options, whichever is highlighted.
type Menu struct {
	Kind        string
	Options     []string // in order
	Highlighted int      // the index of the one that Enter chooses; -1 where none is

	Text  string // above the options
	Plain bool   // one option says yes, one says no, and neither says more
}

// Notes explain an error.
type Notes struct {
	Fault   string // what is wrong with a settings file
	Retry   string // the row that says that a failed request will be repeated
	Attempt int    // which attempt that is
}
