package transcript

import (
	"encoding/json"
	"time"
)

// An Event is one line of a transcript or of a file of reports, or says that no
// line comes ([Idle]). Body has what the line says; switch on its type:
//
//	switch b := ev.Body.(type) {
//	case *transcript.Assistant:
//		…
//	case *transcript.TurnDuration:
//		…
//	}
//
// A field that the line lacks is zero. A [Malformed] line has only Offset, End, Raw
// and Body, and so have [Unknown] lines of most types.
type Event struct {
	// Offset is where the line begins in the file, in bytes. End is where the next
	// line begins.
	Offset, End int64

	// Raw is the line without its newline, valid until the next event. The other
	// fields, Body included, stay valid.
	Raw []byte

	UUID       string
	ParentUUID string // the line that this one answers or follows
	SessionID  string
	Version    string    // of the agent
	Timestamp  time.Time // when the agent made the line; somebody may have set its clock

	// PromptID and TurnID are the agent's ids in a report of a hook (see
	// Format.Report). In a transcript's line they are empty: there the Body has the
	// PromptID.
	PromptID, TurnID string

	Sidechain bool // a subagent's line, never part of the answer
	Meta      bool // the agent itself wrote the line in the name of the user or system

	Body Body
}

// Body is what an [Event] says. In a transcript it is one of [*User], [*ToolResults],
// [*Assistant], [*APIError], [*TurnDuration], [*APIRetry], [*CompactSummary],
// [*HookOutput], [*System], [*Started], [*Unknown] and [*Malformed]; in a report one
// of [*Started], [*Shown], [*Stopping], [*Asked], [*APIError], [*Unknown] and
// [*Malformed]. A [Follower] adds [*Idle]. Later versions may have more bodies: a
// switch needs a default.
type Body interface{ body() }

// User is text that the model receives in the user's name: a prompt, an Interruption
// or, with [Event].Meta set, a remark of the agent, such as a Stop hook's objection.
type User struct {
	Text string // its text blocks, joined

	// PromptID is the same on all user lines and tool results of one prompt.
	PromptID string

	// Typed says that the content is a plain string, not a list of blocks. A
	// prompt that was entered as text is a string.
	Typed bool

	// Interruption says that the line records an interruption of the turn. It is
	// no prompt.
	Interruption bool

	// InterruptedMessageID is the id of the interrupted message (2.1.158 and
	// later). It is empty if the agent had not answered anything yet.
	InterruptedMessageID string
}

// ToolResults has the results of tools, which the model receives.
type ToolResults struct {
	PromptID string
	Results  []ToolResult
}

// ToolResult is the result of one tool use.
type ToolResult struct {
	ToolUseID string
	IsError   bool
	Content   json.RawMessage // a string or a list of blocks
}

// Assistant is part of one API message, usually one block. All lines of a message
// have the same MessageID.
type Assistant struct {
	MessageID  string
	Model      string
	StopReason string // of the whole message, as the API calls it; "" for null
	End        End    // how the message ended, from StopReason
	Blocks     []Block
	Usage      Usage // of the whole message; each of its lines repeats it
}

// Block is one content block. Its Type says which other fields are set.
type Block struct {
	Type string // "text", "thinking", "tool_use", or a type of a later version

	Text string // of a text or thinking block

	// Of a tool use:
	ID    string
	Name  string
	Input json.RawMessage
}

// The types of blocks that a Turn looks at.
const (
	textBlock = "text"
	toolBlock = "tool_use"
)

// Usage counts tokens.
type Usage struct {
	InputTokens              int64 `json:"input_tokens"`
	OutputTokens             int64 `json:"output_tokens"`
	CacheCreationInputTokens int64 `json:"cache_creation_input_tokens"`
	CacheReadInputTokens     int64 `json:"cache_read_input_tokens"`
}

// APIError is the message with which the agent ends a turn after the service failed,
// refused or cut it. It is no error value: see tuiturn.APIError.
type APIError struct {
	Status  int    // of HTTP; 0 where the line names none
	Type    string // as the API calls it: "authentication_error" (2.1.330)
	Kind    string // as the agent calls it: "authentication_failed", "max_output_tokens", "unknown"
	Message string // for people

	// StopReason is "refusal" when the model refused (2.1.330). Earlier versions
	// do not record that here.
	StopReason string

	// End says how the replaced message ended: EndRefused, EndCut or EndTools, else
	// zero. After EndTools the agent goes on: it runs the tools that the message had
	// asked for.
	End End

	// Temporary makes the error Retryable whatever its other fields are. A decoder
	// sets it if Retryable does not know the agent's values of Kind and Type.
	Temporary bool

	// Attempts is how many retries the agent recorded before it gave up. 2.1.330
	// records none. Only Turn.Outcome sets Attempts.
	Attempts int
}

// Retryable reports whether the same request may succeed later. It may after a
// rate or usage limit, an overload, or a failure of the service or the network.
func (e *APIError) Retryable() bool {
	switch {
	case e.Temporary:
		return true
	case e.Status != 0:
		return retryable(e.Status)
	}
	return e.temporary()
}

// Unauthorized reports whether the service or the agent does not accept the login.
func (e *APIError) Unauthorized() bool { return e.Status == 401 || e.unauthorized() }

func retryable(status int) bool { return status == 408 || status == 429 || status >= 500 }

// TurnDuration ends a turn (2.1.158 and later, not after every API error).
type TurnDuration struct{ Duration time.Duration }

// APIRetry says that a request failed and that the agent will retry it (2.1.104
// and 2.1.158; 2.1.330 does not record retries).
type APIRetry struct {
	Status  int
	Type    string // as the API calls it; "" on 2.1.158
	Message string
	Attempt int           // number of this failure, from 1
	Max     int           // number of retries after which the agent gives up
	Delay   time.Duration // until the next attempt
}

// Retryable reports whether the next attempt may succeed. After a 401 it cannot,
// but 2.1.104 retries ten times.
func (e *APIRetry) Retryable() bool { return retryable(e.Status) }

// CompactSummary is the agent's summary of the conversation so far. After a
// compaction the agent goes on from it.
type CompactSummary struct{ Text string }

// HookOutput is the output of a hook, or the summary of the Stop hooks. The text
// is in [Event].Raw: its place depends on the kind and the version.
type HookOutput struct {
	Kind  string // "stop_hook_summary", "hook_success", "hook_blocking_error", …
	Event string // of the hook, where the line names it: "Stop"

	// Prevents says that a hook has stopped the agent, for Reason. Refuses says that
	// the agent did not take the prompt (2.1.294 and later; earlier versions do not
	// record that).
	Prevents bool
	Refuses  bool
	Reason   string

	// AtStop says that the hook is one that runs when the agent is about to stop.
	AtStop bool

	// Stopping says that all Stop hooks have run and the agent is about to stop.
	// If one of them objected, its objection stands before this line.
	Stopping bool
}

// System is any other system line.
type System struct {
	Subtype string
	Content string
}

// Unknown is a line, or a report, of a type that this package does not decode. The
// rest of the line may not be JSON.
type Unknown struct{ Type string }

// Malformed is a line that is not a JSON object.
type Malformed struct{ Err error }

// Idle is not a line. It says that the file has not grown for Quiet. Only a
// [Follower] with Idle set yields it. The event's Offset and End are where the next
// line will begin.
type Idle struct {
	Quiet time.Duration
	Torn  bool // the file ends with part of a line
}

func (*User) body()           {}
func (*ToolResults) body()    {}
func (*Assistant) body()      {}
func (*APIError) body()       {}
func (*TurnDuration) body()   {}
func (*APIRetry) body()       {}
func (*CompactSummary) body() {}
func (*HookOutput) body()     {}
func (*System) body()         {}
func (*Unknown) body()        {}
func (*Malformed) body()      {}
func (*Idle) body()           {}
