package tuiturn

import (
	"context"
	"encoding/json"

	"github.com/tuiturn/tuiturn/internal/drive"
)

// A PermissionRequest is the agent's question to a person whether it may use a tool.
type PermissionRequest struct {
	// Tool and Input describe the tool use that the agent asks about: "Bash" and
	// {"command":…}. The agent itself reports them to its PermissionRequest hook.
	// Nothing that the model writes can change which tool use they describe. Input is
	// complete and is not redacted. The tool use can be a subagent's.
	//
	// The keys of Input count exactly as written. Decode Input into a map, or compare
	// all of it. Do not decode it into a struct: encoding/json matches a field's key in
	// any case and takes the last match, which is not the key that the tool reads.
	//
	// Tool is empty and Input is nil if the agent draws such a dialog and reports
	// nothing. That happens if the question is not about a tool, or if the agent's
	// hooks are switched off or cannot run. Such a question can only be denied, without
	// a Message.
	Tool  string
	Input json.RawMessage

	// Options are the dialog's options, in order. Highlighted is the index of the
	// option that a person's Enter would choose.
	Options     []string
	Highlighted int

	// Screen is the text on the terminal. The model chooses much of that text, so
	// decide by Tool and Input. A long command is cut off at the top. Known secrets in
	// Screen and Options are replaced by "[redacted]".
	Screen string
}

// A Verdict is the choice in a Decision. The zero value is Undecided.
type Verdict int

const (
	// Undecided ends the turn with ErrUndecided.
	Undecided Verdict = iota

	// AllowOnce allows this one tool use and nothing else.
	AllowOnce

	// Deny refuses this tool use.
	//
	// With a Message, the model gets the message and goes on. If the same message of
	// the model asks for more tool uses after this one, claude 2.1.158 cancels them;
	// 2.1.104 and 2.1.330 ask about them.
	//
	// Without a Message, the agent stops, as it does when a person says no. The tool
	// uses after this one are refused too, and the turn ends with ErrInterrupted.
	Deny
)

// A Decision answers a PermissionRequest. The zero value ends the turn with
// ErrUndecided.
type Decision struct {
	Verdict Verdict

	// Message is given to the model as the person's words. Only Deny takes a Message.
	// It is UTF-8 text of up to 10,000 bytes, without control characters other than
	// newline and tab. White space around it is removed.
	Message string
}

// Errors of a decision that cannot be carried out. The turn ends with an error that is
// also a *BlockedError, and nothing has been allowed.
var (
	// ErrUndecided is returned for the zero Decision, for a Verdict other than
	// AllowOnce and Deny, for a Message with AllowOnce, and for a Message that is blank
	// or not UTF-8.
	ErrUndecided = drive.ErrUndecided

	// ErrCannotAllow is returned when AllowOnce could allow more than this one tool
	// use. Either the agent has not reported which tool use it asks about, or its
	// dialog has no plain Yes. Claude asks without a plain Yes when it has made a plan.
	ErrCannotAllow = drive.ErrCannotAllow

	// ErrCannotTell is returned when Decision.Message is too long or holds control
	// characters, or when the agent has not reported which tool use it asks about.
	ErrCannotTell = drive.ErrCannotTell
)

// decider turns OnPermission into the function that the engine calls. It returns nil
// for nil.
func decider(onPermission func(context.Context, PermissionRequest) (Decision, error)) drive.Decider {
	if onPermission == nil {
		return nil
	}
	return func(ctx context.Context, q drive.Question) (drive.Decision, error) {
		d, err := onPermission(ctx, PermissionRequest(q))
		return drive.Decision{Verdict: drive.Verdict(d.Verdict), Message: d.Message}, err
	}
}
