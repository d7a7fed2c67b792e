package transcript

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var errNotObject = errors.New("not a whole JSON object")

// Decode decodes one line of claude's, without its newline. It never fails: see
// [Unknown] and [Malformed]. The event's Raw is line itself, and its Offset is 0.
//
// Keys are case-sensitive. Of duplicate keys the last one counts, except "type" of a
// line or an attachment, where the first one does: Decode does not read on after a
// type that it does not know. In values that Decode does not read, and in
// [Block].Input and [ToolResult].Content, it checks only quotes and brackets.
func Decode(line []byte) Event {
	ev := Event{Raw: line, End: int64(len(line)) + 1}
	var r record
	r.read(line)
	ev.Body = r.body()
	if r.broken {
		ev.Body = &Malformed{errNotObject}
	}
	if _, ok := ev.Body.(*Malformed); ok || !decoded(r.typ) {
		return ev
	}
	ev.UUID, ev.ParentUUID, ev.SessionID, ev.Version = r.uuid, r.parentUUID, r.sessionID, r.version
	ev.Sidechain, ev.Meta = r.isSidechain, r.isMeta
	ev.Timestamp, _ = time.Parse(time.RFC3339, r.timestamp)
	return ev
}

// record has every member that Decode reads, of every kind of line. Members that may
// be long stay encoded until the type is known.
type record struct {
	scanner

	typ, subtype, uuid, parentUUID, sessionID, version, timestamp string

	isSidechain, isMeta, isCompactSummary, isAPIErrorMessage bool

	promptID, interruptedMessageID string

	apiErrorStatus int64
	apiErrorType   string

	durationMS, retryInMS    float64
	retryAttempt, maxRetries int64

	preventContinuation bool

	message, content, err, attachment, ending []byte
}

// decoded reports whether Decode reads lines of the type.
func decoded(typ string) bool {
	switch typ {
	case "user", "assistant", "system", "attachment":
		return true
	}
	return false
}

func (r *record) read(line []byte) {
	r.b = line
	if r.peek() != '{' {
		r.broken = true
	}
	for o := r.walk(); o.next(); {
		switch string(o.key) {
		case "type":
			if r.typ == "" {
				r.typ = r.text()
			}
			if !decoded(r.typ) {
				return
			}
		case "subtype":
			r.subtype = r.text()
		case "uuid":
			r.uuid = r.text()
		case "parentUuid":
			r.parentUUID = r.text()
		case "sessionId":
			r.sessionID = r.text()
		case "version":
			r.version = r.text()
		case "timestamp":
			r.timestamp = r.text()
		case "isSidechain":
			r.isSidechain = r.bool()
		case "isMeta":
			r.isMeta = r.bool()
		case "isCompactSummary":
			r.isCompactSummary = r.bool()
		case "isApiErrorMessage":
			r.isAPIErrorMessage = r.bool()
		case "promptId":
			r.promptID = r.text()
		case "interruptedMessageId":
			r.interruptedMessageID = r.text()
		case "apiErrorStatus":
			r.apiErrorStatus = r.int()
		case "apiErrorType":
			r.apiErrorType = r.text()
		case "durationMs":
			r.durationMS = r.float()
		case "retryInMs":
			r.retryInMS = r.float()
		case "retryAttempt":
			r.retryAttempt = r.int()
		case "maxRetries":
			r.maxRetries = r.int()
		case "message":
			r.message = r.value()
		case "content":
			r.content = r.value()
		case "error":
			r.err = r.value()
		case "attachment":
			r.attachment = r.value()
		case "preventContinuation":
			r.preventContinuation = r.bool()
		case "promptSubmitEnding":
			r.ending = r.value()
		}
	}
	if r.space(); r.i < len(line) {
		r.broken = true
	}
}

// seek goes back to a value that was kept. A missing value is null.
func (r *record) seek(value []byte) {
	if value == nil {
		value = []byte("null")
	}
	r.b, r.i = value, 0
}

func (r *record) body() Body {
	switch r.typ {
	case "user":
		return r.user()
	case "assistant":
		return r.assistant()
	case "system":
		return r.system()
	case "attachment":
		return r.hook()
	}
	return &Unknown{r.typ}
}

func (r *record) user() Body {
	m := r.apiMessage()
	if r.isCompactSummary {
		return &CompactSummary{joinText(m.blocks)}
	}
	var results []ToolResult
	for _, b := range m.blocks {
		if b.Type == "tool_result" {
			results = append(results, ToolResult{b.toolUseID, b.isError, b.content})
		}
	}
	if results != nil {
		return &ToolResults{PromptID: r.promptID, Results: results}
	}
	text := joinText(m.blocks)
	return &User{
		Text:                 text,
		PromptID:             r.promptID,
		Typed:                m.typed,
		Interruption:         r.interruptedMessageID != "" || claudeInterruption(text, m.typed),
		InterruptedMessageID: r.interruptedMessageID,
	}
}

func (r *record) assistant() Body {
	m := r.apiMessage()
	if r.isAPIErrorMessage {
		r.seek(r.err)
		e := &APIError{
			Status:  int(r.apiErrorStatus),
			Type:    r.apiErrorType,
			Kind:    r.text(),
			Message: joinText(m.blocks),

			StopReason: m.stopReason,
		}
		e.End = claudeErrorEnd(e.StopReason, e.Kind)
		if e.Status == 0 {
			e.readMessage()
		}
		return e
	}
	a := &Assistant{MessageID: m.id, Model: m.model, StopReason: m.stopReason, End: claudeEnd(m.stopReason), Usage: m.usage}
	for _, b := range m.blocks {
		a.Blocks = append(a.Blocks, b.Block)
	}
	return a
}

var apiAnswer = regexp.MustCompile(`^API Error: ([45]\d\d) (\{.*\})$`)

// readMessage takes status and type from the message. 2.1.104 puts the service's
// answer there and nowhere else.
func (e *APIError) readMessage() {
	m := apiAnswer.FindStringSubmatch(e.Message)
	if m == nil {
		return
	}
	var answer struct {
		Error struct {
			Type string `json:"type"`
		} `json:"error"`
	}
	if json.Unmarshal([]byte(m[2]), &answer) == nil && answer.Error.Type != "" {
		e.Status, _ = strconv.Atoi(m[1])
		e.Type = answer.Error.Type
	}
}

func (r *record) system() Body {
	switch r.subtype {
	case "turn_duration":
		return &TurnDuration{milliseconds(r.durationMS)}
	case "api_error":
		return r.retry()
	case claudeStopSummary:
		return &HookOutput{Kind: r.subtype, Event: claudeStop, AtStop: true, Stopping: true}
	}
	if r.preventContinuation {
		return r.prevented()
	}
	r.seek(r.content)
	return &System{Subtype: r.subtype, Content: r.text()}
}

// prevented reads the line of a UserPromptSubmit hook that stops the turn.
func (r *record) prevented() Body {
	h := &HookOutput{Kind: r.subtype, Event: "UserPromptSubmit", Prevents: true}
	var ending []byte
	r.seek(r.ending)
	for o := r.walk(); o.next(); {
		if string(o.key) == "ending" {
			ending = r.value()
		}
	}
	r.seek(ending)
	for o := r.walk(); o.next(); {
		switch string(o.key) {
		case "kind":
			h.Kind = r.text()
		case "reason":
			h.Reason = r.text()
		}
	}
	h.Refuses = h.Kind == "blocked_by_hook"
	return h
}

// retry reads the error in the forms of two versions. 2.1.104 wraps the API's answer
// ({status, error: {error: {type, message}}}). 2.1.158 has only {status, formatted}.
func (r *record) retry() Body {
	b := &APIRetry{
		Attempt: int(r.retryAttempt),
		Max:     int(r.maxRetries),
		Delay:   milliseconds(r.retryInMS),
	}
	var formatted string
	var wrapped, answer []byte
	r.seek(r.err)
	for o := r.walk(); o.next(); {
		switch string(o.key) {
		case "status":
			b.Status = int(r.int())
		case "formatted":
			formatted = r.text()
		case "error":
			wrapped = r.value()
		}
	}
	r.seek(wrapped)
	for o := r.walk(); o.next(); {
		if string(o.key) == "error" {
			answer = r.value()
		}
	}
	r.seek(answer)
	for o := r.walk(); o.next(); {
		switch string(o.key) {
		case "type":
			b.Type = r.text()
		case "message":
			b.Message = r.text()
		}
	}
	if b.Message == "" {
		b.Message = formatted
	}
	return b
}

// hook reads an attachment. Attachments are many and large, and only those of hooks
// say anything about the turn.
func (r *record) hook() Body {
	h := new(HookOutput)
	r.seek(r.attachment)
	for o := r.walk(); o.next(); {
		switch string(o.key) {
		case "type":
			if h.Kind == "" {
				h.Kind = r.text()
			}
			if !isHook(h.Kind) {
				return &Unknown{r.typ}
			}
		case "hookEvent":
			h.Event = r.text()
		case "message":
			h.Reason = r.text()
		}
	}
	if !isHook(h.Kind) {
		return &Unknown{r.typ}
	}
	h.AtStop = h.Event == claudeStop
	if h.Prevents = h.Kind == "hook_stopped_continuation"; !h.Prevents {
		h.Reason = ""
	}
	return h
}

func isHook(kind string) bool { return strings.HasPrefix(kind, "hook_") }

// apiMessage is the message in a user's or assistant's line.
type apiMessage struct {
	id, model, stopReason string
	usage                 Usage
	blocks                []contentBlock
	typed                 bool // the content is a string
}

func (r *record) apiMessage() (m apiMessage) {
	r.seek(r.message)
	for o := r.walk(); o.next(); {
		switch string(o.key) {
		case "id":
			m.id = r.text()
		case "model":
			m.model = r.text()
		case "stop_reason":
			m.stopReason = r.text()
		case "usage":
			m.usage = r.usage()
		case "content":
			m.typed = r.peek() == '"'
			m.blocks = r.blocks()
		}
	}
	return m
}

func (r *record) usage() (u Usage) {
	for o := r.walk(); o.next(); {
		switch string(o.key) {
		case "input_tokens":
			u.InputTokens = r.int()
		case "output_tokens":
			u.OutputTokens = r.int()
		case "cache_creation_input_tokens":
			u.CacheCreationInputTokens = r.int()
		case "cache_read_input_tokens":
			u.CacheReadInputTokens = r.int()
		}
	}
	return u
}

// contentBlock has the members of every kind of block.
type contentBlock struct {
	Block

	toolUseID string
	isError   bool
	content   json.RawMessage
}

// blocks reads content that is a string or a list of blocks.
func (r *record) blocks() (blocks []contentBlock) {
	switch r.peek() {
	case '"':
		return []contentBlock{{Block: Block{Type: "text", Text: r.text()}}}
	case '[':
		for list := r.walk(); list.next(); {
			blocks = append(blocks, r.block())
		}
	}
	return blocks
}

func (r *record) block() (b contentBlock) {
	var thinking string
	for o := r.walk(); o.next(); {
		switch string(o.key) {
		case "type":
			b.Type = r.text()
		case "text":
			b.Text = r.text()
		case "thinking":
			thinking = r.text()
		case "id":
			b.ID = r.text()
		case "name":
			b.Name = r.text()
		case "input":
			b.Input = r.raw()
		case "tool_use_id":
			b.toolUseID = r.text()
		case "is_error":
			b.isError = r.bool()
		case "content":
			b.content = r.raw()
		}
	}
	if b.Type == "thinking" {
		b.Text = thinking
	}
	return b
}

func joinText(blocks []contentBlock) string {
	if len(blocks) == 1 && blocks[0].Type == "text" {
		return blocks[0].Text
	}
	var b strings.Builder
	for _, block := range blocks {
		if block.Type == "text" {
			b.WriteString(block.Text)
		}
	}
	return b.String()
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
