package fakeagent

import (
	"encoding/json"
	"os"
	"time"
)

// EnvVar is the variable that turns a program into the fake agent. Its value
// is a [Script] as JSON.
const EnvVar = "TUITURN_FAKEAGENT"

// Version is the version the fake agent reports. It has no MessageDisplay hook,
// going by its number.
const Version = "0.0.0-fake"

// A Script says how the agent behaves. The zero value is a well-behaved agent
// that is ready at once and echoes every prompt.
type Script struct {
	// Version is the version that the agent reports; empty means [Version].
	Version string

	// BootDelay is the time before the first screen is drawn and the terminal is put in
	// raw mode. Keys sent meanwhile are lost.
	BootDelay time.Duration

	// DeafDelay is the time between drawing the input box and taking keys. Keys sent
	// meanwhile are lost.
	DeafDelay time.Duration

	// AltScreen draws in the alternate screen with the box at the bottom, as
	// 2.1.330 does. Without it the box follows the text, as in 2.1.104.
	AltScreen bool

	// Footer is the line below the input box; empty means "? for shortcuts".
	Footer string

	// TrustNo makes the trust dialog list and highlight "No, exit" first and
	// without numbers, as 2.1.330 does. Without it "1. Yes, I trust this
	// folder" is highlighted.
	TrustNo bool

	// NewInput makes the input line treat text as 2.1.330 does: what stood
	// behind the placeholder of a long paste arrives between pasted_content
	// tags, and invisible characters are taken out, so that one in front of a
	// "/" or "@" changes nothing.
	NewInput bool

	// Offer is the stage at which the agent shows an unrequested menu: AtBoot, or
	// AtReady for the first time its editor is requested. Escape declines the offer;
	// taking it ends the agent.
	Offer Stage

	// OfferEnds makes the agent end with status 1 when the offer is declined.
	OfferEnds bool

	// InPieces makes the input line lose its upper rule whenever the editor has closed,
	// until the terminal's size changes.
	InPieces bool

	// SettingsFault is the agent's message about a settings file with errors, which it
	// shows first. Escape ends the agent with status 1.
	SettingsFault []string

	// Rewinds makes two Escapes at an empty input line open a list. Another Escape
	// closes it.
	Rewinds bool

	// NoEditor makes Ctrl+G do nothing.
	NoEditor bool

	// LostEdits is how many files an editor has written are lost before the agent reads
	// them.
	LostEdits int

	// StrictHooks makes a settings file that names a hook event other than
	// SessionStart, UserPromptSubmit, PreToolUse and Stop stop the agent from
	// taking any input, as 2.1.104 does.
	StrictHooks bool

	// Rollout, if not empty, makes the agent name its session itself, whatever name it
	// is given. The log has another place and another shape than claude's: its name
	// has the time in it, and its lines are wrapped, behind one that names the session.
	// The SessionStart hook tells the name and the path, before the agent takes a
	// prompt (AtReady) or with the first one (AtSubmit). The log has neither errors nor
	// retries. The TurnFailed hook tells of an error that ends a turn.
	Rollout Stage

	// End is how the agent ends by itself while it starts: AtBoot or AtReady.
	End *End

	// Children are started before the first screen.
	Children []Child

	// ChildLog is a file that gets a line "KIND PID" for each child, as soon as the
	// child ignores the signals that its kind ignores.
	ChildLog string

	// IgnoreHangup keeps the agent running after SIGHUP and after its
	// terminal is gone, IgnoreTerm after SIGTERM.
	IgnoreHangup, IgnoreTerm bool

	// ShutdownDelay is the time between the decision to end and the end.
	ShutdownDelay time.Duration

	// Litter leaves a file claude-litter-UUID in the temporary directory.
	Litter bool

	// Prompts is a directory in which every prompt is recorded: see ReadPrompts.
	// All agents that share it play one script: the n-th prompt among them gets the
	// n-th of the Turns. (Which of them swallows Enters goes by its own count.)
	Prompts string

	// Turns are the agent's behaviour for each prompt in order; the last one
	// repeats. None means the zero Turn.
	Turns []Turn
}

// A Turn is the agent's behaviour for one prompt. The zero value answers at
// once with "You said: " and the prompt.
type Turn struct {
	// SwallowEnters is how many Enters are lost before one submits the prompt.
	SwallowEnters int

	// Delay is the time between the prompt and the answer.
	Delay time.Duration

	// Text is the answer; empty means "You said: PROMPT". Blocks, if any, are
	// the answer as several text blocks of one message instead.
	Text   string
	Blocks []string

	// Size, if longer than the text, pads the last block to this many bytes
	// with lines of text. It keeps a large answer out of the environment,
	// whose variables are limited to 128 KB each on Linux.
	Size int

	// Thinking is a thinking block before the answer.
	Thinking string

	// Tool is a tool call before the answer, and More are further ones in the
	// same message. If one is declined without a message, so are those behind it.
	Tool *Tool
	More []Tool

	// StopReason is the answer's stop reason; empty means "end_turn", "null"
	// means none (a JSON null).
	StopReason string

	// NoDuration leaves out the turn_duration line, as 2.1.104 does.
	NoDuration bool

	// Shown are the pieces in which the answer is reported to a MessageDisplay
	// hook, ShowDelay apart; none means that each line is a piece. They may be
	// another text than the answer.
	Shown     []string
	ShowDelay time.Duration

	// LateHooks delays the hooks that report the last piece and an error (see
	// Script.Rollout). The agent does not wait for them.
	LateHooks time.Duration

	// Objection is a Stop hook's objection to the first answer, ObjectDelay after it.
	// The agent then answers "Then: OBJECTION".
	Objection   string
	ObjectDelay time.Duration

	// NoSummary leaves out the line that tells that Stop hooks have run.
	NoSummary bool

	// Sidechain is the number of subagent lines written before the answer.
	Sidechain int

	// Noise is the number of lines of about 90 KB, of a type that readers do
	// not know, written before the answer.
	Noise int

	// WriteDelay holds each transcript line back for this long; lines that
	// come up meanwhile go into the same write. The real agent's is about
	// 100 ms.
	WriteDelay time.Duration

	// TornPieces is the number of writes the answer's last line takes, with
	// TornPause between them; fewer than two mean one.
	TornPieces int
	TornPause  time.Duration

	// Order, if not empty, holds the turn's lines back until its end and then
	// writes first those with these indices (0 is the prompt's line), in this
	// order, then the others.
	Order []int

	// ClockSteps are the changes of the agent's wall clock, one after each recorded line
	// of the turn.
	ClockSteps []time.Duration

	// NoTranscript writes nothing to the transcript.
	NoTranscript bool

	// APIError fails the turn. A Hang with an APIError never fails, but if it is
	// interrupted, the agent reports the error (see Script.Rollout).
	APIError *APIError

	// UnknownDialog shows a dialog of no known wording before the answer and
	// waits for Enter. Question, if not empty, is its title.
	UnknownDialog bool
	Question      string

	// NoOptions leaves out the unknown dialog's options and lets a sign blink
	// above it.
	NoOptions bool

	// Busy makes the agent use processor time while it shows the unknown dialog.
	Busy bool

	// Hang never answers. Escape interrupts it. Partial is the text said so far, which
	// is recorded with the interruption.
	Hang    bool
	Partial string

	// Deaf never answers, and nothing interrupts it. The time on its screen goes on.
	Deaf bool

	// Rest makes the agent become idle without an answer. Its transcript need not record
	// that. A Rest with Blocked does not take the prompt.
	Rest *Rest

	// Children are started after the prompt was recorded.
	Children []Child

	// End is how the agent ends by itself in this turn: AtSubmit, AtReceipt,
	// AtHalf or AtAnswer.
	End *End
}

// A Rest says what an agent has said and recorded when it becomes idle without an
// answer.
type Rest struct {
	// Text and StopReason are those of a message, and with Tool it uses one. With
	// none of them there is no message. StopReason "null" means none.
	Text, StopReason string
	Tool             bool

	Result   bool // the tool use has a result
	Objected bool // the agent was asked to go on
	Halted   bool // a hook has told the agent to stop, and that is recorded
	Hook     bool // the Stop hooks run
	Summary  bool // that they have run is recorded
	Duration bool // the end is recorded
	Working  bool // the screen goes on to say that the agent works, and nothing moves

	// Blocked: a UserPromptSubmit hook blocked the prompt. Recorded: a line says so.
	// Kept: the prompt is put back into the input line.
	Blocked, Recorded, Kept bool
}

// A Tool is a tool call in the middle of a turn. Nothing is run.
type Tool struct {
	Narration string // text before the call; may be empty
	Command   string // the shell command shown; empty means "true"
	Result    string // the recorded output of the tool

	// Ask shows the permission menu first and waits for a choice, or for the
	// decision of a PermissionRequest hook. An option that begins with Yes goes on;
	// another one and Escape interrupt the turn. A hook can also deny the tool and
	// let the model go on without it.
	Ask bool

	// Unreported asks no hook. LateReport is the time between drawing the menu and
	// asking the hook.
	Unreported bool
	LateReport time.Duration

	// Words are the menu's question; empty means "Do you want to proceed?".
	Words string

	// Stall is how long the agent works before it asks, counted from the Enter that
	// submitted the prompt. Meanwhile it draws nothing and reads no key.
	Stall time.Duration

	// Options are the menu's and Highlighted is the first highlight; none means
	// the usual three.
	Options     []string
	Highlighted int

	// Withdraw, if not empty, is the path of a file: once it exists, the agent withdraws
	// the question and goes on without the tool.
	Withdraw string
}

func (t *Tool) command() string {
	if t.Command == "" {
		return "true"
	}
	return t.Command
}

// An APIError is a failure of the service.
type APIError struct {
	Status int    // HTTP status; zero means 500
	Kind   string // the service's error type; empty means the usual one for Status

	// Retries is the number of system lines of subtype api_error written
	// first, RetryDelay apart, as 2.1.104 does.
	Retries    int
	RetryDelay time.Duration

	// Unrecorded shows the retries and writes none, as 2.1.330 does.
	Unrecorded bool

	// Recovers makes the turn go on to its answer after the retries. Without
	// it the turn ends with the final error line of 2.1.330.
	Recovers bool
}

// A Stage is a moment at which a script can end the agent.
type Stage string

const (
	AtBoot    Stage = "boot"    // before anything is drawn
	AtReady   Stage = "ready"   // when the input box takes keys
	AtSubmit  Stage = "submit"  // when a prompt is submitted, before its line is written
	AtReceipt Stage = "receipt" // when the prompt's line is written
	AtHalf    Stage = "half"    // in the middle of the answer's last line
	AtAnswer  Stage = "answer"  // after the answer, before turn_duration
)

// An End ends the agent at a stage, without restoring the terminal.
type End struct {
	At     Stage
	Status int // exit status
	Signal int // if not zero, the signal that kills (or stops) the agent instead
}

// A Child is a kind of process that the agent starts and never waits for.
type Child string

const (
	ChildPlain      Child = "plain"      // dies of SIGHUP
	ChildStubborn   Child = "stubborn"   // ignores SIGHUP and SIGTERM
	ChildSession    Child = "session"    // as ChildStubborn, in a session of its own, its parent gone
	ChildBackground Child = "background" // as ChildStubborn, in a background process group
	ChildBare       Child = "bare"       // as ChildSession, with an emptied environment but for EnvVar
)

// Environ returns an environment entry, "KEY=VALUE", that makes a program act as the fake
// agent with this script.
func (s Script) Environ() []string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("fakeagent: " + err.Error()) // a Script holds nothing that JSON can't
	}
	return []string{EnvVar + "=" + string(b)}
}

// turn returns the behaviour for the n-th prompt, counted from zero.
func (s Script) turn(n int) Turn {
	if len(s.Turns) == 0 {
		return Turn{}
	}
	return s.Turns[min(n, len(s.Turns)-1)]
}

// version is the version that the agent reports.
func (s Script) version() string {
	if s.Version == "" {
		return Version
	}
	return s.Version
}

// Enabled reports whether this program was started as the fake agent.
func Enabled() bool { return os.Getenv(EnvVar) != "" }
