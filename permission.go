package tuiturn

import (
	"context"
	"encoding/json"

	"github.com/tuiturn/tuiturn/internal/drive"
)

// A PermissionRequest is a question that the agent asks a person: may it use a
// tool?
type PermissionRequest struct {
	// Tool and Input are the tool use that the agent asks about, "Bash" and
	// {"command":…}, as the agent itself reports it to its PermissionRequest hook;
	// nothing that the model writes can make it another one. Input is complete and
	// is not redacted. It can be the use of a subagent.
	//
	// The keys of Input count as they are written. Decode it into a map, or compare
	// it whole: for a struct's field encoding/json takes a key in any case, and the
	// last of several, which is not the one that the tool reads.
	//
	// Tool is empty and Input nil where the agent draws such a dialog and reports
	// nothing: for a question that is not about a tool, or where its hooks are
	// switched off or cannot run. Such a question can be denied and not allowed.
	Tool  string
	Input json.RawMessage

	// Options are the dialog's, in order, and Highlighted is the index of the
	// one that a person's Enter would choose.
	Options     []string
	Highlighted int

	// Screen is what the terminal shows. The model chooses much of its text, so
	// decide by Tool and Input. A long command is cut off at the top. Known secrets
	// are replaced in it, and in Options, by "[redacted]".
	Screen string
}

// A Verdict is what a Decision decides.
type Verdict int

const (
	// Undecided ends the turn with ErrUndecided.
	Undecided Verdict = iota

	// AllowOnce allows this one tool use and nothing else.
	AllowOnce

	// Deny refuses it. With a Message the model is told so, and goes on; claude
	// 2.1.158 cancels the tool uses that stand behind it in the same message,
	// 2.1.104 and 2.1.330 ask about them. Without one the agent stops as it does
	// for a person who says no: what stands behind is refused too, and the turn
	// ends with ErrInterrupted.
	Deny
)

// A Decision answers a PermissionRequest. The zero value decides nothing.
type Decision struct {
	Verdict Verdict

	// Message, with Deny, is told to the model as the person's words. It is text in
	// UTF-8, whatever it says, of up to 10,000 bytes, without control characters
	// but newline and tab.
	Message string
}

// What keeps a decision from being carried out. The turn ends then, with an error
// that is also a *BlockedError, and nothing has been allowed.
var (
	// ErrUndecided: OnPermission returned an unknown Decision. Use AllowOnce or
	// Deny, and a Message with Deny alone.
	ErrUndecided = drive.ErrUndecided

	// ErrCannotAllow: it is not certain that a yes would allow one tool use and
	// nothing else. The agent has not reported which one it asks about, or its
	// dialog has no plain Yes: claude asks so where it has made a plan.
	ErrCannotAllow = drive.ErrCannotAllow

	// ErrCannotTell: the message cannot be given to the model.
	ErrCannotTell = drive.ErrCannotTell
)

// decider is what a turn asks in the place of OnPermission, nil if that is nil.
func decider(onPermission func(context.Context, PermissionRequest) (Decision, error)) drive.Decider {
	if onPermission == nil {
		return nil
	}
	return func(ctx context.Context, q drive.Question) (drive.Decision, error) {
		d, err := onPermission(ctx, PermissionRequest(q))
		return drive.Decision{Verdict: drive.Verdict(d.Verdict), Message: d.Message}, err
	}
}
