package transcript

import (
	"slices"
	"strings"
	"time"
)

// A Turn reads the outcome of one prompt from a session's events. It does no
// I/O and has no clock: the same events give the same outcome. Its zero value
// takes the first prompt of any session.
//
// A Turn considers only the lines that belong to its prompt. A line names the
// line that it follows (parentUuid), and a line belongs to the turn if that chain
// leads back to the prompt's own user line. The chain gives the order, too: the
// file's can be wrong by some tenths of a second. (2.1.158 and 2.1.294 sometimes
// write the answer to the first prompt of a session before the prompt.) So a line
// is kept back until the line that it follows has come, or until a second of
// silence. Where a line names none, or one that never comes, the file's order
// counts. Time stamps count nowhere: a clock can be set. Lines of subagents and
// other sessions do not count.
//
// A Turn is not safe for concurrent use. The exported fields must be set before
// the first Add.
type Turn struct {
	// SessionID is the session; lines that name another are ignored.
	SessionID string

	// Prompt is the prompt's text. The user line matches when it is the same
	// but for white space (as [strings.TrimSpace] has it) at either end.
	Prompt string

	// Match, if not nil, decides in Prompt's place whether text is the prompt.
	Match func(text string) bool

	// Settle takes DefaultSettle's place if positive. Where the agent runs Stop
	// hooks, which may object, it is to be more than the slowest takes: until the
	// agent writes what came of them, the answer looks final. Less than zero,
	// silence never ends the turn.
	Settle time.Duration

	received   bool
	text       string // of the prompt, as received
	promptID   string
	unmatched  string
	lines      map[string]bool // by uuid: whether it is one of this turn's
	held       []heldLine
	seq        int        // of the turn's lines
	messages   []*message // in order
	tools      map[string]*tool
	toolOrder  []string
	resumed    int // the last line that makes the model speak again
	retry      *APIRetry
	attempts   int
	failure    *APIError
	failed     int // the line that said so
	duration   time.Duration
	closed     bool
	told       bool // its end was written, and perhaps not all that belongs to it
	prevented  int  // the line that said that a hook stops the turn
	interrupt  bool
	compaction bool
	quiet      time.Duration
	version    string
}

// message is one API message, gathered from its lines.
type message struct {
	id, model, stop string
	end             End
	blocks          []block
	usage           Usage
	last            int // its last line
}

type block struct {
	Block
	parent string // the line before the block's own
}

type tool struct {
	use    *Block
	by     *message
	result bool
}

// Add takes the next event. Once the turn has ended for good, by anything but
// silence, further events change nothing. Reports of hooks never do.
func (t *Turn) Add(ev Event) {
	if t.ended() || isReport(ev.Body) {
		return
	}
	if idle, ok := ev.Body.(*Idle); ok {
		// Half a line is not silence.
		t.quiet = 0
		if !idle.Torn {
			t.quiet = idle.Quiet
			t.release()
		}
		return
	}
	t.quiet = 0
	if ev.Sidechain || t.SessionID != "" && ev.SessionID != "" && ev.SessionID != t.SessionID {
		return
	}
	ev.Raw = nil // valid only now
	if u, ok := ev.Body.(*User); ok && !t.received && !ev.Meta {
		t.prompt(ev, u)
		return
	}
	t.place(ev)
}

// prompt takes a user line before the turn's own has been seen.
func (t *Turn) prompt(ev Event, u *User) {
	t.before(ev.ParentUUID)
	if t.matches(u.Text) {
		t.received, t.text, t.promptID = true, u.Text, u.PromptID
	} else {
		t.unmatched = u.Text
	}
	t.mark(ev.UUID, t.received)
	t.settle()
}

func (t *Turn) matches(text string) bool {
	if t.Match != nil {
		return t.Match(text)
	}
	want := strings.TrimSpace(t.Prompt)
	return want == "" || strings.TrimSpace(text) == want
}

// apply takes a line of this turn. orphan says that nothing but its place in the
// file makes it one.
func (t *Turn) apply(ev Event, orphan bool) {
	t.seq++
	at := t.seq
	if ev.Version != "" {
		t.version = ev.Version
	}
	switch b := ev.Body.(type) {
	case *User:
		t.user(at, ev.Meta, b)
	case *ToolResults:
		t.results(at, b)
	case *Assistant:
		t.assistant(at, ev, b)
	case *APIError:
		failure := *b
		t.failure, t.failed = &failure, at
	case *APIRetry:
		t.retry = b
		t.attempts = max(t.attempts, b.Attempt)
	case *CompactSummary:
		t.compaction = true
	case *TurnDuration:
		// An orphan may be the end of the turn before.
		if !orphan || t.stopped() {
			t.closed, t.duration = true, b.Duration
		}
	case *HookOutput:
		switch {
		case b.Prevents:
			t.prevented = at
		case b.Stopping:
			t.told = t.told || t.stopped()
		}
	}
}

// fatal reports whether an error has come that the agent does not go on from. It
// does go on when the connection broke in a message that had come to a tool use:
// it runs the tool and asks again. 2.1.330 says so in the error; 2.1.104 and
// 2.1.158 write the tool's result behind it.
func (t *Turn) fatal() bool {
	return t.failure != nil && t.failure.end() != EndTools && t.resumed < t.failed && len(t.PendingTools()) == 0
}

// halted reports whether a hook has stopped the turn. Nothing need have been said.
func (t *Turn) halted() bool {
	m := t.lastMessage()
	return t.prevented > t.resumed && (m == nil || m.last < t.prevented)
}

// stopped reports whether a summary of the Stop hooks that comes now is the
// turn's end: there is a message to end with, and nobody has objected to it.
func (t *Turn) stopped() bool {
	m := t.lastMessage()
	return m != nil && m.last > t.resumed && !t.busy() && !m.narrates()
}

func (t *Turn) user(at int, meta bool, u *User) {
	switch {
	case meta:
		// A Stop hook objected, a limit was hit, an answer was empty: the model
		// is asked to go on.
		t.resumed = at
	case u.InterruptedMessageID != "" || u.Interruption && u.PromptID == t.promptID:
		t.interrupt = true
	case u.PromptID != "" && u.PromptID == t.promptID:
		// A command's echo.
	case t.final():
		// The next prompt. Up to 2.1.104 nothing else ends the turn before it.
		t.closed = true
	}
}

// results takes what tools gave back. Of tools that ran side by side, the result of
// one can be written behind what the model made of them all.
func (t *Turn) results(at int, b *ToolResults) {
	for _, r := range b.Results {
		tool := t.tool(r.ToolUseID)
		tool.result = true
		if tool.by == nil || tool.by == t.lastMessage() {
			t.resumed = at
		}
	}
}

func (t *Turn) assistant(at int, ev Event, a *Assistant) {
	t.retry, t.failure = nil, nil
	m := t.message(a.MessageID)
	m.last = at
	if a.Model != "" {
		m.model = a.Model
	}
	if a.StopReason != "" {
		m.stop = a.StopReason
	}
	if end := a.end(); end != EndUnknown {
		m.end = end
	}
	// Each line has the whole message's usage; a line written early has less.
	m.usage.InputTokens = max(m.usage.InputTokens, a.Usage.InputTokens)
	m.usage.OutputTokens = max(m.usage.OutputTokens, a.Usage.OutputTokens)
	m.usage.CacheCreationInputTokens = max(m.usage.CacheCreationInputTokens, a.Usage.CacheCreationInputTokens)
	m.usage.CacheReadInputTokens = max(m.usage.CacheReadInputTokens, a.Usage.CacheReadInputTokens)

	before := slices.Clone(m.blocks) // blocks of one line may be equal
	for i := range a.Blocks {
		b := &a.Blocks[i]
		if slices.ContainsFunc(before, func(k block) bool { return k.parent == ev.ParentUUID && equal(&k.Block, b) }) {
			continue
		}
		m.insert(block{*b, ev.ParentUUID}, ev.UUID)
		if b.Type == toolBlock {
			tool := t.tool(b.ID)
			tool.use, tool.by = b, m
		}
	}
}

// insert puts a block of a line at its place: behind the others, but before one
// that follows the line and was not kept back for long enough.
func (m *message) insert(b block, line string) {
	i := slices.IndexFunc(m.blocks, func(k block) bool { return line != "" && k.parent == line })
	if i < 0 {
		i = len(m.blocks)
	}
	m.blocks = slices.Insert(m.blocks, i, b)
}

func equal(a, b *Block) bool {
	return a.Type == b.Type && a.Text == b.Text && a.ID == b.ID && a.Name == b.Name && string(a.Input) == string(b.Input)
}

// message returns the message with that id.
func (t *Turn) message(id string) *message {
	for _, m := range slices.Backward(t.messages) {
		if m.id == id && id != "" {
			return m
		}
	}
	m := &message{id: id}
	t.messages = append(t.messages, m)
	return m
}

func (t *Turn) tool(id string) *tool {
	if t.tools[id] == nil {
		if t.tools == nil {
			t.tools = make(map[string]*tool)
		}
		t.tools[id] = new(tool)
		t.toolOrder = append(t.toolOrder, id)
	}
	return t.tools[id]
}

// Received reports whether the prompt's own user line has been seen, and its
// text as the agent took it.
func (t *Turn) Received() (text string, ok bool) { return t.text, t.received }

// PromptID is the agent's id of the prompt, empty until it has been seen.
func (t *Turn) PromptID() string { return t.promptID }

// Unmatched is the last user text of the session that was not the prompt, seen
// before it. If the prompt never comes, this is what the agent made of it.
func (t *Turn) Unmatched() string { return t.unmatched }

// Retrying is the failed attempt that the agent is about to repeat, or nil.
// Unless it is Retryable, waiting is useless. 2.1.330 does not write it.
func (t *Turn) Retrying() *APIRetry {
	if t.ended() || t.fatal() {
		return nil
	}
	return t.retry
}

// PendingTools are the tool uses without a result: tools that run, or wait for
// a permission.
func (t *Turn) PendingTools() []Block {
	var pending []Block
	for _, id := range t.toolOrder {
		if u := t.tools[id]; u.use != nil && !u.result {
			pending = append(pending, *u.use)
		}
	}
	return pending
}

// Told reports whether the agent has written that the turn is over. Lines of it
// may still come: the report of its Stop hook, if there is one, tells what the
// last of them says.
func (t *Turn) Told() bool { return t.told || t.halted() || t.fatal() || t.ended() }

// Done reports whether the turn has ended and Outcome is its outcome: by a
// turn_duration line, an interruption, the next prompt, an API error that the
// agent does not go on from, a hook that stopped the turn or Stop hooks that have
// run and not objected, with DefaultSettle of silence behind, or a final message and Settle of silence.
// Silence is known from [Idle] events.
func (t *Turn) Done() bool { return t.State() == Done }

// ended is Done for good.
func (t *Turn) ended() bool {
	return t.received && (t.closed || t.interrupt)
}

// State is how far a [Turn] is.
type State int

const (
	// Waiting: the prompt has not been seen.
	Waiting State = iota
	// Working: the agent is thinking, or has been asked to go on, a tool runs or
	// asks for permission, or a failed request is about to be repeated.
	Working
	// Resting: the last message has text, and no tool or retry is pending, but
	// nothing says that it is the last. Some builds write no more than that:
	// together with a quiet transcript and a screen that takes input again it
	// is the end of the turn. It is also the state after a message that was cut
	// or refused, until the agent asks for more by itself.
	Resting
	// Final: the last message is final, and only silence is missing.
	Final
	// Done: the turn has ended.
	Done
)

var stateNames = [...]string{"waiting", "working", "resting", "final", "done"}

func (s State) String() string { return stateNames[s] }

// State tells how far the turn is.
func (t *Turn) State() State {
	switch {
	case !t.received:
		return Waiting
	case t.ended() || t.final() && t.settled():
		return Done
	case t.final():
		return Final
	case t.resting():
		return Resting
	}
	return Working
}

// settled reports whether it has been quiet for long enough after what looks
// like the end.
func (t *Turn) settled() bool {
	switch {
	case t.missing():
		return false
	case t.Settle == 0, t.Told():
		// What belongs to the end may still be written: 2.1.158 has written the
		// error that ends a cut answer before the answer.
		return t.quiet >= DefaultSettle
	case t.Settle < 0:
		return false
	}
	return t.quiet >= t.Settle
}

// final reports whether the last message says that it is the last.
func (t *Turn) final() bool {
	m := t.lastMessage()
	if t.fatal() || (t.told || t.halted()) && !t.busy() {
		return true
	}
	if m == nil || m.last < t.resumed || t.busy() {
		return false
	}
	// The agent may go on after a cut or a refusal. Both end in an APIError or a
	// TurnDuration.
	return m.end == EndFinal || m.end == EndFull
}

func (t *Turn) resting() bool {
	m := t.lastMessage()
	return m != nil && m.last > t.resumed && !t.busy() && !m.narrates() && m.text() != ""
}

func (t *Turn) busy() bool { return t.retry != nil || len(t.PendingTools()) > 0 }

func (t *Turn) lastMessage() *message {
	if len(t.messages) == 0 {
		return nil
	}
	return t.messages[len(t.messages)-1]
}

// narrates reports whether the message's text leads to a tool use. Whatever the
// stop reason is, the agent runs the tools that a message has: of one that was
// cut too, if the cut is behind them (2.1.330).
func (m *message) narrates() bool {
	return m.end == EndTools || slices.ContainsFunc(m.blocks, func(b block) bool { return b.Type == toolBlock })
}

func (m *message) text() string {
	var b strings.Builder
	for _, block := range m.blocks {
		if block.Type == textBlock {
			b.WriteString(block.Text)
		}
	}
	return b.String()
}
