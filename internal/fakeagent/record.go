package fakeagent

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"github.com/tuiturn/tuiturn/internal/uuid"
)

// A recorder writes the session's transcript. Its methods are safe for
// concurrent use.
type recorder struct {
	path                string
	session, dir, model string
	version             string
	rollout             bool // see Script.Rollout

	mu      sync.Mutex
	off     bool   // nothing is written
	parent  string // uuid of the last line that has one
	pending [][]byte
	delay   time.Duration // how long a line is held back
	timer   *time.Timer   // running while lines are held back
	hold    bool          // lines are held until release
	prompts int
	id      string // of the last prompt
	turn    string // the last turn's id in the hooks
	said    bool   // something has been recorded since the last prompt
	steps   []time.Duration
	clock   time.Duration // how far the wall clock has been set
}

// newRecorder finds the transcript of a session. A resumed session continues after the
// last line of its file.
func newRecorder(home, dir, session, model string, resume, rollout bool) (_ *recorder, err error) {
	r := &recorder{session: session, dir: dir, model: model, rollout: rollout}
	switch {
	case !rollout:
		r.path = filepath.Join(home, ".claude", "projects", munge(dir), session+".jsonl")
	case resume:
		r.path, err = findRollout(home, session)
	default:
		r.path = rolloutPath(home, session)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(r.path)
	if !resume {
		if err == nil {
			f.Close()
			return nil, fmt.Errorf("Session ID %s is already in use.", session)
		}
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("No conversation found with session ID: %s", session)
	}
	defer f.Close()
	return r, r.resume(f)
}

// resume finds the line that the next one follows.
func (r *recorder) resume(f *os.File) error {
	for b := bufio.NewReader(f); ; {
		l, err := b.ReadBytes('\n')
		var last struct {
			UUID    string
			Payload struct{ UUID string }
		}
		if json.Unmarshal(l, &last) == nil && last.UUID+last.Payload.UUID != "" {
			r.parent = last.UUID + last.Payload.UUID
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// munge is a directory's name under projects: every UTF-16 unit that is not an
// ASCII letter or digit is a "-".
func munge(dir string) string {
	var b strings.Builder
	for _, r := range dir {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Repeat("-", max(1, utf16.RuneLen(r))))
		}
	}
	return b.String()
}

// An entry is one line of the conversation, its fields in the real order.
type entry struct {
	ParentUUID     *string `json:"parentUuid"`
	IsSidechain    bool    `json:"isSidechain"`
	PromptID       string  `json:"promptId,omitempty"`
	Attachment     any     `json:"attachment,omitempty"`
	Message        any     `json:"message,omitempty"`
	Type           string  `json:"type"`
	Subtype        string  `json:"subtype,omitempty"`
	Level          string  `json:"level,omitempty"`
	Error          any     `json:"error,omitempty"`
	RetryInMs      float64 `json:"retryInMs,omitempty"`
	RetryAttempt   int     `json:"retryAttempt,omitempty"`
	MaxRetries     int     `json:"maxRetries,omitempty"`
	DurationMs     *int64  `json:"durationMs,omitempty"`
	MessageCount   int     `json:"messageCount,omitempty"`
	IsMeta         *bool   `json:"isMeta,omitempty"`
	IsAPIError     bool    `json:"isApiErrorMessage,omitempty"`
	APIErrorStatus int     `json:"apiErrorStatus,omitempty"`
	APIErrorType   string  `json:"apiErrorType,omitempty"`
	ToolUseResult  any     `json:"toolUseResult,omitempty"`
	PermissionMode string  `json:"permissionMode,omitempty"`
	Content        string  `json:"content,omitempty"`

	PreventContinuation *bool `json:"preventContinuation,omitempty"`
	PromptSubmitEnding  any   `json:"promptSubmitEnding,omitempty"`

	UUID       string `json:"uuid"`
	Timestamp  string `json:"timestamp"`
	UserType   string `json:"userType"`
	Entrypoint string `json:"entrypoint"`
	Cwd        string `json:"cwd"`
	SessionID  string `json:"sessionId"`
	Version    string `json:"version"`
	GitBranch  string `json:"gitBranch"`
}

type userMessage struct {
	Role    string `json:"role"`
	Content any    `json:"content"` // a string or blocks
}

type assistantMessage struct {
	ID           string  `json:"id"`
	Type         string  `json:"type"`
	Role         string  `json:"role"`
	Model        string  `json:"model"`
	Content      []block `json:"content"`
	StopReason   *string `json:"stop_reason"`
	StopSequence *string `json:"stop_sequence"`
	Usage        usage   `json:"usage"`
}

type usage struct {
	InputTokens              int    `json:"input_tokens"`
	CacheCreationInputTokens int    `json:"cache_creation_input_tokens"`
	CacheReadInputTokens     int    `json:"cache_read_input_tokens"`
	OutputTokens             int    `json:"output_tokens"`
	ServiceTier              string `json:"service_tier"`
}

type block struct {
	Type      string `json:"type"`
	Text      string `json:"text,omitempty"`
	Thinking  string `json:"thinking,omitempty"`
	Signature string `json:"signature,omitempty"`
	ID        string `json:"id,omitempty"`
	Name      string `json:"name,omitempty"`
	Input     any    `json:"input,omitempty"`
	ToolUseID string `json:"tool_use_id,omitempty"`
	Content   string `json:"content,omitempty"`
	IsError   *bool  `json:"is_error,omitempty"`
}

// add records an entry: the fields every line has are filled in.
func (r *recorder) add(e entry) { r.write(r.encode(e)) }

// encode makes an entry the next line of the conversation. A sidechain line
// does not become the parent of what follows.
func (r *recorder) encode(e entry) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.parent != "" {
		parent := r.parent
		e.ParentUUID = &parent
	}
	if e.UUID == "" {
		e.UUID = uuid.New()
	}
	if !e.IsSidechain {
		r.parent = e.UUID
	}
	r.said = e.PromptID == "" && (r.said || e.Type == "assistant" || e.Type == "user")
	e.Timestamp = time.Now().Add(r.clock).UTC().Format("2006-01-02T15:04:05.000Z")
	if len(r.steps) > 0 {
		r.clock, r.steps = r.clock+r.steps[0], r.steps[1:]
	}
	e.UserType, e.Entrypoint = "external", "cli"
	e.Cwd, e.SessionID, e.Version, e.GitBranch = r.dir, r.session, r.version, "HEAD"
	return encodeLine(e)
}

// encodeLine returns v as one line of JSON. Like the real agent it does not escape "<"
// and "&".
func encodeLine(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("fakeagent: " + err.Error())
	}
	return b.Bytes()
}

// prompt records a prompt with the lines that come before it. With hold, its
// line and those that follow are kept until release.
func (r *recorder) prompt(text string, hold bool) {
	if r.first() {
		r.write(encodeLine(struct {
			Type    string `json:"type"`
			Mode    string `json:"mode"`
			Session string `json:"sessionId"`
		}{"mode", "normal", r.session}))
	}
	r.write(encodeLine(struct {
		Type    string `json:"type"`
		Mode    string `json:"permissionMode"`
		Session string `json:"sessionId"`
	}{"permission-mode", "default", r.session}))
	id := uuid.New()
	r.write(encodeLine(struct {
		Type     string `json:"type"`
		ID       string `json:"messageId"`
		Snapshot struct {
			ID      string   `json:"messageId"`
			Backups struct{} `json:"trackedFileBackups"`
		} `json:"snapshot"`
		Update bool `json:"isSnapshotUpdate"`
	}{Type: "file-history-snapshot", ID: id}))
	if hold {
		r.mu.Lock()
		r.flush()
		r.hold = true
		r.mu.Unlock()
	}
	r.mu.Lock()
	r.id, r.turn = uuid.New(), uuid.New()
	promptID := r.id
	r.mu.Unlock()
	r.add(entry{
		Type: "user", UUID: id, PromptID: promptID, PermissionMode: "default",
		Message: userMessage{"user", text},
	})
}

// begun tells whether the agent has recorded something since the last prompt.
func (r *recorder) begun() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said
}

// ids returns the turn's ids in the transcript and in the hooks.
func (r *recorder) ids() (prompt, turn string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.id, r.turn
}

func (r *recorder) first() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prompts++
	return r.prompts == 1
}

// lastPrompt records what the agent writes when a turn is over.
func (r *recorder) lastPrompt(text string) {
	r.write(encodeLine(struct {
		Type    string `json:"type"`
		Prompt  string `json:"lastPrompt"`
		Session string `json:"sessionId"`
	}{"last-prompt", text, r.session}))
}

// noise records a line of about 90 KB of a type that readers skip.
func (r *recorder) noise() {
	r.write(encodeLine(struct {
		Type    string `json:"type"`
		Session string `json:"sessionId"`
		Blob    string `json:"blob"`
	}{"api-request-blob", r.session, strings.Repeat(`{"type":"assistant","text":"no"}`+"\n", 2000)}))
}

// script sets how a turn's lines are written.
func (r *recorder) script(t Turn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.off, r.delay, r.steps = t.NoTranscript, t.WriteDelay, t.ClockSteps
}

// release writes the held lines: first those with the given indices, then the others.
func (r *recorder) release(order []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.pending
	r.pending, r.hold = nil, false
	done := make([]bool, len(lines))
	for _, i := range order {
		if i >= 0 && i < len(lines) && !done[i] {
			done[i] = true
			r.pending = append(r.pending, lines[i])
		}
	}
	for i, l := range lines {
		if !done[i] {
			r.pending = append(r.pending, l)
		}
	}
	r.flush()
}

// write takes one line, to be written now or when the delay is over.
func (r *recorder) write(l []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.off {
		return
	}
	if r.rollout {
		l = wrapped(l)
	}
	r.pending = append(r.pending, l)
	switch {
	case r.hold:
	case r.delay <= 0:
		r.flush()
	case r.timer == nil:
		r.timer = time.AfterFunc(r.delay, r.close)
	}
}

// torn writes one line in pieces, after the pending lines. A line that is held back for
// its order stays whole.
func (r *recorder) torn(l []byte, pieces int, pause func()) {
	r.mu.Lock()
	whole := r.hold || pieces < 2
	r.mu.Unlock()
	if whole {
		r.write(l)
		return
	}
	if r.rollout {
		l = wrapped(l)
	}
	for i := range pieces {
		r.mu.Lock()
		if !r.off {
			r.pending = append(r.pending, l[i*len(l)/pieces:(i+1)*len(l)/pieces])
			r.flush()
		}
		r.mu.Unlock()
		if i < pieces-1 {
			pause()
		}
	}
}

// close writes the pending lines.
func (r *recorder) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.hold {
		r.flush()
	}
}

// flush appends the pending lines in one write. The caller holds mu. A
// transcript that cannot be written does not stop the real agent either.
func (r *recorder) flush() {
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	if len(r.pending) == 0 {
		return
	}
	b := bytes.Join(r.pending, nil)
	r.pending = nil
	if err := os.MkdirAll(filepath.Dir(r.path), 0o700); err != nil {
		return
	}
	f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); r.rollout && err == nil && info.Size() == 0 {
		b = append(r.meta(), b...)
	}
	f.Write(b)
}
