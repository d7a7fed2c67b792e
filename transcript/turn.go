package transcript

import (
	"slices"
	"strings"
	"time"
)

// A Turn reads the outcome of one prompt from a session's events. It does no I/O
// and has no clock: the same events give the same outcome. The zero value takes
// the first prompt of any session.
//
// A Turn considers only the lines that belong to its prompt. A line names the line
// that it follows ([Event].ParentUUID). It belongs to the turn if that chain leads
// back to the prompt's own user line. The chain also gives the order: the order in
// the file can be wrong by some tenths of a second. (2.1.158 and 2.1.294 sometimes
// write the answer to the first prompt of a session before the prompt.) The Turn
// therefore holds a line until the line that it follows has come, or until a
// second of silence. If a line names no other line, or one that never comes, the
// order in the file counts. Time stamps do not count, because somebody can set the
// clock. Lines of subagents and of other sessions do not count.
//
// A Turn is not safe for concurrent use. Set the exported fields before the first
// Add.
type Turn struct {
	// SessionID is the session. Lines that name another session are ignored. If
	// empty, lines of any session count.
	SessionID string

	// Prompt is the prompt's text. White space at either end (see strings.TrimSpace)
	// does not matter. If Prompt and Match are not set, the first prompt is the
	// turn's.
	Prompt string

	// Match, if not nil, decides whether text is the prompt. Prompt is then ignored.
	Match func(text string) bool

	// Settle is how long the transcript must be quiet after the final message before
	// the turn is over; 0 means DefaultSettle. If the agent runs Stop hooks, Settle
	// must be longer than the slowest of them: until the agent records that they
	// have run, an answer to which one may object looks final. If Settle is
	// negative, silence ends the turn only after Told.
	Settle time.Duration

	// SoleStop says that the program's Stop hook is the only one, so that no other can
	// object, and that the agent has recorded its final message when the hook runs. Then
	// a [Stopping] ends the turn if the turn has a final message by then and
	// Stopping.Text is the message's last text block. A Stopping may be added again when
	// further lines have come. Outcome.Duration is then 0.
	SoleStop bool

	received   bool
	text       string // of the prompt, as received
	promptID   string
	unmatched  string
	lines      map[string]bool // by uuid: whether the line is one of this turn's
	held       []heldLine
	seq        int        // of the turn's lines
	messages   []*message // in order
	tools      map[string]*tool
	toolOrder  []string
	resumed    int // the last line after which the model speaks again
	retry      *APIRetry
	attempts   int
	failure    *APIError
	failed     int // the line of the failure
	duration   time.Duration
	closed     bool
	told       bool // the agent has recorded the end, but perhaps not all lines before it
	prevented  int  // the line in which a hook stops the turn
	interrupt  bool
	compaction bool
	quiet      time.Duration
	version    string
}

// message is one API message, put together from its lines.
type message struct {
	id, model, stop string
	end             End
	blocks          []block
	usage           Usage
	last            int // the message's last line
}

type block struct {
	Block
	parent string // the line before the block's line
}

type tool struct {
	use    *Block
	by     *message
	result bool
}

// Add takes the next event. After the turn has ended by anything but silence,
// further events change nothing. Of the reports of hooks only an [APIError] changes
// anything, and with SoleStop a [Stopping].
func (t *Turn) Add(ev Event) {
	if t.ended() {
		return
	}
	if s, ok := ev.Body.(*Stopping); ok && t.SoleStop && !ev.Sidechain && !t.foreign(ev) {
		t.closed = t.endsWith(s.Text)
	}
	if isReport(ev.Body) {
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
	if ev.Sidechain || t.foreign(ev) {
		return
	}
	ev.Raw = nil // valid until the next event only
	if u, ok := ev.Body.(*User); ok && !t.received && !ev.Meta {
		t.prompt(ev, u)
		return
	}
	t.place(ev)
}

// foreign reports whether an event is another session's.
func (t *Turn) foreign(ev Event) bool {
	return t.SessionID != "" && ev.SessionID != "" && ev.SessionID != t.SessionID
}

// endsWith reports whether all lines of the turn have come, if text is the last that the
// agent had to say.
func (t *Turn) endsWith(text string) bool {
	if text == "" || !t.received || t.fatal() || t.halted() || !t.final() || t.missing() {
		return false
	}
	var last string
	for _, b := range t.lastMessage().blocks {
		if b.Type == textBlock {
			last = strings.TrimSpace(b.Text)
		}
	}
	return last == text
}

// prompt takes a user line that comes before the turn's prompt, or is it.
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

// apply takes a line of this turn. An orphan is a line that only its place in the
// file makes one of the turn's.
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
		// An orphan may be the end of the previous turn.
		if !orphan || t.stopped() {
			t.closed, t.duration = true, b.Duration
		}
	case *HookOutput:
		switch {
		case b.Prevents:
			t.prevented = at
		case b.stopping():
			t.told = t.told || t.stopped()
		}
	}
}

// fatal reports whether an error has come after which the agent does not go on.
// The agent does go on if the connection broke in a message behind a tool use: it
// runs the tool and asks again. 2.1.330 says so in the error; 2.1.104 and 2.1.158
// write the tool's result after the error.
func (t *Turn) fatal() bool {
	return t.failure != nil && t.failure.end() != EndTools && t.resumed < t.failed && len(t.PendingTools()) == 0
}

// halted reports whether a hook has stopped the turn. The model need not have said
// anything.
func (t *Turn) halted() bool {
	m := t.lastMessage()
	return t.prevented > t.resumed && (m == nil || m.last < t.prevented)
}

// stopped reports whether a summary of the Stop hooks that comes now ends the
// turn: there is a last message, and no hook has objected to it.
func (t *Turn) stopped() bool {
	m := t.lastMessage()
	return m != nil && m.last > t.resumed && !t.busy() && !m.narrates()
}

func (t *Turn) user(at int, meta bool, u *User) {
	switch {
	case meta:
		// The agent asks the model to go on: a Stop hook objected, a message hit a
		// limit, or an answer was empty.
		t.resumed = at
	case u.InterruptedMessageID != "" || u.interruption() && u.PromptID == t.promptID:
		t.interrupt = true
	case u.PromptID != "" && u.PromptID == t.promptID:
		// A command's echo.
	case t.final():
		// The next prompt. Up to 2.1.104 nothing else ends the previous turn.
		t.closed = true
	}
}

// results takes the results of tools. If tools ran side by side, the agent can
// write the result of one after the message in which the model used all results.
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
	// Each line has the whole message's usage; an early line has less.
	m.usage.InputTokens = max(m.usage.InputTokens, a.Usage.InputTokens)
	m.usage.OutputTokens = max(m.usage.OutputTokens, a.Usage.OutputTokens)
	m.usage.CacheCreationInputTokens = max(m.usage.CacheCreationInputTokens, a.Usage.CacheCreationInputTokens)
	m.usage.CacheReadInputTokens = max(m.usage.CacheReadInputTokens, a.Usage.CacheReadInputTokens)

	before := slices.Clone(m.blocks) // two blocks of one line may be equal
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

// insert puts a block of a line in its place. That is behind the other blocks, but
// before a block whose line follows this one and was taken too early.
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

// message returns the message with that id. It makes the message if it is new or
// has no id.
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

// Received reports whether the prompt's own user line has come, and returns the
// text that the agent took.
func (t *Turn) Received() (text string, ok bool) { return t.text, t.received }

// PromptID returns the agent's id of the prompt. It is empty until the prompt has
// come.
func (t *Turn) PromptID() string { return t.promptID }

// Unmatched returns the last user text before the prompt. If the prompt never
// comes, this is what the agent made of it.
func (t *Turn) Unmatched() string { return t.unmatched }

// Retrying returns the failed attempt that the agent is about to repeat, or nil. If
// it is not Retryable, waiting is useless. 2.1.330 does not record attempts.
func (t *Turn) Retrying() *APIRetry {
	if t.ended() || t.fatal() {
		return nil
	}
	return t.retry
}

// PendingTools returns the tool uses without a result: the tools that run or wait
// for a permission.
func (t *Turn) PendingTools() []Block {
	var pending []Block
	for _, id := range t.toolOrder {
		if u := t.tools[id]; u.use != nil && !u.result {
			pending = append(pending, *u.use)
		}
	}
	return pending
}

// Told reports whether the agent has recorded that the turn is over. Lines of the
// turn may still come. If a Stop hook reports, the Text of its [Stopping] is the last
// text block to expect.
func (t *Turn) Told() bool { return t.told || t.halted() || t.fatal() || t.ended() }

// Done reports whether the turn has ended, so that Outcome is final. A turn ends
//   - at once with a [TurnDuration], an interruption or the next prompt, and with
//     SoleStop with a [Stopping] that agrees with the final message,
//   - after DefaultSettle of silence with an API error after which the agent does
//     not go on, with a hook that stopped the turn, and with Stop hooks that have
//     run and not objected,
//   - after Settle of silence with a final message.
//
// A Turn knows of silence from [Idle] events.
func (t *Turn) Done() bool { return t.State() == Done }

// ended reports whether the turn has ended by anything but silence.
func (t *Turn) ended() bool {
	return t.received && (t.closed || t.interrupt)
}

// State says how far a [Turn] is.
type State int

const (
	// Waiting: the prompt has not come.
	Waiting State = iota
	// Working: the model works, a tool runs or waits for a permission, or the
	// agent is about to retry a failed request.
	Working
	// Resting: the last message has text, and no tool or retry is pending. That
	// message may be the final one, but no line says so, and Done stays false. Some
	// builds record no more than that: the turn is over if the transcript is quiet
	// and the screen takes input again. A turn also rests after a message that was
	// cut or refused, until the agent asks for more by itself.
	Resting
	// Final: the last message is final. Only silence is missing.
	Final
	// Done: the turn has ended.
	Done
)

var stateNames = [...]string{"waiting", "working", "resting", "final", "done"}

// String returns "waiting", "working", "resting", "final" or "done". It panics for any
// other State.
func (s State) String() string { return stateNames[s] }

// State returns how far the turn is.
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

// settled reports whether the transcript has been quiet for long enough after what
// looks like the end.
func (t *Turn) settled() bool {
	switch {
	case t.missing():
		return false
	case t.Settle == 0, t.Told():
		// Lines of the end may still come: 2.1.158 wrote the error that ends a cut
		// answer before the answer.
		return t.quiet >= DefaultSettle
	case t.Settle < 0:
		return false
	}
	return t.quiet >= t.Settle
}

// final reports whether the last message, or what came after it, is the end.
func (t *Turn) final() bool {
	m := t.lastMessage()
	if t.fatal() || (t.told || t.halted()) && !t.busy() {
		return true
	}
	if m == nil || m.last < t.resumed || t.busy() {
		return false
	}
	// The agent may go on after a cut or a refusal. In the end it records an
	// APIError or a TurnDuration.
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

// narrates reports whether the message's text leads to a tool use. The agent runs
// the tools of a message however it ended, also if it was cut behind them (2.1.330).
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
