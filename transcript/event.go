package transcript

import (
	"encoding/json"
	"time"
)

// An Event is one line of a transcript, or the news that no line comes
// ([Idle]). What the line says is in Body; switch on its type:
//
//	switch b := ev.Body.(type) {
//	case *transcript.Assistant:
//		…
//	case *transcript.TurnDuration:
//		…
//	}
//
// A field that the line lacks is zero. Records that this package does not
// decode ([Unknown], [Malformed]) have only Offset, End, Raw and Body set; an
// attachment of an unknown kind has the rest, too.
type Event struct {
	// Offset is where the line begins in the file, End where the next begins,
	// in bytes.
	Offset, End int64

	// Raw is the line without its newline. It is valid until the next event:
	// copy what is to be kept.
	Raw []byte

	UUID       string
	ParentUUID string // the line that this one answers or follows
	SessionID  string
	Version    string    // of the agent
	Timestamp  time.Time // when the agent made the line, by a clock that can be set

	// PromptID and TurnID are set in a report (see [Format].Report), if the agent
	// names them. A transcript's line has a PromptID in its Body, and no TurnID.
	PromptID, TurnID string

	Sidechain bool // a subagent's line, never part of the answer
	Meta      bool // written by the agent itself in the name of the user or system

	Body Body
}

// Body is what an [Event] says. It is one of [*User], [*ToolResults],
// [*Assistant], [*APIError], [*TurnDuration], [*APIRetry], [*CompactSummary],
// [*HookOutput], [*System], [*Unknown], [*Malformed] and [*Idle]. More may
// come: an embedder's switch needs a default.
type Body interface{ body() }

// User is text given to the model in the user's name: a prompt, or with
// [Event].Meta set a remark of the agent's own, such as a Stop hook's
// objection.
type User struct {
	Text string // its text blocks, joined

	// PromptID is the same on all user lines of one prompt, tool results
	// included.
	PromptID string

	// Typed says that the content is a plain string, as it is for a prompt
	// entered as text, and not a list of blocks.
	Typed bool

	// Interruption says that the line records an interruption, and is no prompt.
	Interruption bool

	// InterruptedMessageID is the id of the message that was interrupted (2.1.158
	// and later; empty if nothing had been answered yet).
	InterruptedMessageID string
}

// ToolResults is what tools gave back to the model.
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

// Assistant is part of one API message: usually one block. Lines of the same
// message share MessageID.
type Assistant struct {
	MessageID  string
	Model      string
	StopReason string // of the whole message, as the API calls it; "" for null
	End        End    // what StopReason means
	Blocks     []Block
	Usage      Usage // of the whole message, repeated on each of its lines
}

// Block is one content block. Type says which other fields are set.
type Block struct {
	Type string // "text", "thinking", "tool_use", or one of a later version

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

// APIError is the agent's own final message after the service failed, refused
// or cut the turn (isApiErrorMessage).
type APIError struct {
	Status  int    // of HTTP; 0 where the line names none
	Type    string // as the API calls it: "authentication_error" (2.1.330)
	Kind    string // as the agent calls it: "authentication_failed", "max_output_tokens", "unknown"
	Message string // for people

	// StopReason is "refusal" when the model refused (2.1.330; earlier versions
	// do not say so here).
	StopReason string

	// End says how the message ended that the error stands for: EndRefused,
	// EndCut, EndTools where the agent goes on with the tools that the message
	// had asked for, else zero.
	End End

	// Temporary says that the same request may succeed later, for a reason that
	// is not in Status. It is set for agents whose words Retryable does not know.
	Temporary bool

	// Attempts is how many retries the agent wrote down before it gave up.
	// 2.1.330 writes none. Only [Turn.Outcome] sets it.
	Attempts int
}

// Retryable reports whether the same request may succeed later: a rate or usage
// limit, an overload, a failure of the service or of the network.
func (e *APIError) Retryable() bool {
	switch {
	case e.Temporary:
		return true
	case e.Status != 0:
		return retryable(e.Status)
	}
	return e.temporary()
}

func retryable(status int) bool { return status == 408 || status == 429 || status >= 500 }

// TurnDuration ends a turn (2.1.158 and later, not after every API error).
type TurnDuration struct{ Duration time.Duration }

// APIRetry says that a request failed and that the agent tries again by itself
// (2.1.104 and 2.1.158; 2.1.330 writes none).
type APIRetry struct {
	Status  int
	Type    string // as the API calls it; "" on 2.1.158
	Message string
	Attempt int           // of this failure, from 1
	Max     int           // retries after which the agent gives up
	Delay   time.Duration // until the next attempt
}

// Retryable reports whether the next attempt may succeed. A 401 is retried up
// to ten times (2.1.104) and cannot.
func (e *APIRetry) Retryable() bool { return retryable(e.Status) }

// CompactSummary is the agent's summary of the conversation so far, from which
// it goes on after a compaction.
type CompactSummary struct{ Text string }

// HookOutput is what a hook said, or the summary of the Stop hooks. The words
// are in [Event].Raw: their place depends on the kind and the version.
type HookOutput struct {
	Kind  string // "stop_hook_summary", "hook_success", "hook_blocking_error", …
	Event string // of the hook, where the line names it: "Stop"

	// Prevents says that the agent does not go on, because a hook has told it so,
	// for Reason. With the Event "UserPromptSubmit" and the Kind "blocked_by_hook"
	// the prompt was not taken (2.1.294 and later; earlier versions record nothing
	// then).
	Prevents bool
	Reason   string

	// Stopping says that all Stop hooks have run, so that the agent is about to
	// stop. An objection of one of them stands before this line.
	Stopping bool
}

// System is any other system line.
type System struct {
	Subtype string
	Content string
}

// Unknown is a record of a type that means nothing to this package. It has not
// been decoded and may be broken further in.
type Unknown struct{ Type string }

// Malformed is a line that is not a JSON object.
type Malformed struct{ Err error }

// Idle is not a line: it says that the file has not grown for Quiet.
// Only a [Follower] with Idle set yields it. Offset and End are those of the
// next line.
type Idle struct {
	Quiet time.Duration
	Torn  bool // part of a line has been written
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
