package fakeagent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn/internal/uuid"
)

// pause waits. It reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// play runs one turn. It ends early when ctx ends: the user has interrupted the turn.
func (a *agent) play(ctx context.Context, t Turn, prompt string) {
	start := time.Now()
	if t.APIError == nil && !a.home.credential() {
		t.APIError = &APIError{Status: 401}
	}
	a.hook("UserPromptSubmit", map[string]any{"prompt": prompt})
	a.end(t.End, AtSubmit)
	a.rec.script(t)
	if t.Rest != nil && t.Rest.Blocked {
		a.block(ctx, t.Rest, prompt)
		return
	}
	a.rec.prompt(prompt, len(t.Order) > 0)
	if len(t.Order) > 0 {
		defer a.rec.release(t.Order)
	}
	a.attach(prompt)
	a.end(t.End, AtReceipt)
	if t.Rest != nil {
		a.rest(t.Rest)
		if t.Rest.Working {
			<-ctx.Done()
			a.interrupted(prompt)
		}
		return
	}

	answer, ok := a.respond(ctx, t, prompt)
	if !ok {
		a.interrupted(prompt)
		return
	}
	a.end(t.End, AtAnswer)
	if t.APIError == nil || t.APIError.Recovers {
		said := a.hook("Stop", map[string]any{"stop_hook_active": false, "last_assistant_message": strings.TrimSpace(answer), "prompt_id": a.rec.id})
		if said.objection != "" {
			t.Objection = said.objection
		}
		objected := t.Objection != ""
		if objected {
			if !pause(ctx, t.ObjectDelay) {
				a.interrupted(prompt)
				return
			}
			meta := true
			a.rec.add(entry{Type: "user", IsMeta: &meta, Message: userMessage{"user", "Stop hook feedback:\n" + t.Objection}})
		}
		a.stopped(t)
		if objected {
			answer = "Then: " + t.Objection
			a.answer(ctx, t, prompt, []string{answer})
			a.hook("Stop", map[string]any{"stop_hook_active": true, "last_assistant_message": answer, "prompt_id": a.rec.id})
			a.stopped(t)
		}
		if !t.NoDuration {
			ms, meta := time.Since(start).Milliseconds(), false
			a.rec.add(entry{Type: "system", Subtype: "turn_duration", DurationMs: &ms, MessageCount: 2, IsMeta: &meta})
		}
	}
	a.rec.lastPrompt(prompt)
}

// interrupted ends a turn that was interrupted. If only the prompt has been recorded, the
// prompt is taken back: it stands in the input line again, and no line records that
// (2.1.104, 2.1.158, 2.1.330).
func (a *agent) interrupted(prompt string) {
	if !a.rec.begun() {
		a.do(func() {
			if a.line.empty() {
				a.line.set(prompt)
			}
			a.draw()
		})
		return
	}
	a.rec.add(entry{Type: "user", PromptID: a.rec.id, Message: userMessage{"user", []block{{Type: "text", Text: "[Request interrupted by user]"}}}})
	a.say("  ⎿  Interrupted · What should Claude do instead?")
}

// stopped records that the Stop hooks have run, if there are any.
func (a *agent) stopped(t Turn) {
	if len(a.hooks["Stop"]) == 0 || t.NoSummary {
		return
	}
	a.rec.add(entry{Type: "system", Subtype: "stop_hook_summary", Level: "suggestion"})
}

// respond does everything between the prompt and the end of the turn. It reports false if
// the turn was interrupted.
func (a *agent) respond(ctx context.Context, t Turn, prompt string) (answer string, ok bool) {
	if err := a.startChildren(t.Children); err != nil {
		a.say(err.Error())
	}
	for range t.Noise {
		a.rec.noise()
	}
	if t.Deaf {
		for n := 0; ; n++ {
			a.do(func() {
				a.screen.status = fmt.Sprintf("✻ Working… (%.1fs)", float64(n)/10)
				a.draw()
			})
			time.Sleep(100 * time.Millisecond)
		}
	}
	if t.Hang {
		<-ctx.Done()
		if t.Partial != "" {
			a.rec.add(entry{Type: "assistant", Message: a.message("msg_"+uuid.New(), "null", usage{}, block{Type: "text", Text: t.Partial})})
			a.say("● " + t.Partial)
		}
		if t.APIError != nil && a.script.Rollout != "" {
			a.failed(t)
		}
		return "", false
	}
	if t.UnknownDialog {
		d := unknownDialog()
		if t.Question != "" {
			d.title = []string{" " + t.Question, ""}
		}
		if t.NoOptions {
			d.options = nil
			go a.blink(ctx)
		}
		if t.Busy {
			go func() {
				for ctx.Err() == nil {
				}
			}()
		}
		if a.ask(ctx, d) == cancelled {
			return "", false
		}
	}
	if t.Tool != nil && !a.tools(ctx, append([]Tool{*t.Tool}, t.More...)) {
		return "", false
	}
	tempDir() // where it keeps what a tool has printed
	if !pause(ctx, t.Delay) {
		return "", false
	}
	if e := t.APIError; e != nil {
		for n := range e.Retries {
			if !e.Unrecorded && a.script.Rollout == "" {
				a.rec.add(e.retry(n + 1))
			}
			a.say(fmt.Sprintf("  ⎿  %d · retrying in 1s · attempt %d/%d", e.status(), n+1, maxRetries))
			if !pause(ctx, e.RetryDelay) {
				return "", false
			}
		}
		if !e.Recovers {
			if a.script.Rollout == "" {
				a.rec.add(e.final())
			} else {
				a.failed(t)
			}
			a.say("  ⎿  " + e.text())
			return "", true
		}
	}
	for i := range t.Sidechain {
		a.rec.add(entry{Type: "assistant", IsSidechain: true, Message: a.message("msg_side", "end_turn", usage{}, block{Type: "text", Text: fmt.Sprint("a subagent's answer ", i+1)})})
	}

	return a.answer(ctx, t, prompt, t.answer(prompt)), true
}

// answer records a final message with these text blocks.
func (a *agent) answer(ctx context.Context, t Turn, prompt string, texts []string) (answer string) {
	answer = strings.Join(texts, "")
	a.display(ctx, t, answer)
	id, u := "msg_"+uuid.New(), usage{InputTokens: 1 + len(prompt)/4, OutputTokens: 1 + len(answer)/4, ServiceTier: "standard"}
	if t.Thinking != "" {
		a.rec.add(entry{Type: "assistant", Message: a.message(id, t.StopReason, u, block{Type: "thinking", Thinking: t.Thinking, Signature: "c2lnbmF0dXJl"})})
	}
	for i, text := range texts {
		e := entry{Type: "assistant", Message: a.message(id, t.StopReason, u, block{Type: "text", Text: text})}
		switch last := i == len(texts)-1; {
		case last && t.End != nil && t.End.At == AtHalf:
			a.rec.torn(a.rec.encode(e), 2, func() { a.end(t.End, AtHalf) })
		case last:
			a.rec.torn(a.rec.encode(e), t.TornPieces, func() { pause(ctx, t.TornPause) })
		default:
			a.rec.add(e)
		}
		a.say("● " + text)
	}
	return answer
}

// display reports a message to a MessageDisplay hook, by the line, as far as it
// is shown before it is recorded.
func (a *agent) display(ctx context.Context, t Turn, text string) {
	if len(a.hooks["MessageDisplay"]) == 0 {
		return
	}
	pieces, id := t.Shown, uuid.New()
	prompt, turn := a.rec.ids()
	if len(pieces) == 0 {
		pieces = strings.SplitAfter(text, "\n")
	}
	for i, piece := range pieces {
		if !pause(ctx, t.ShowDelay) {
			return
		}
		show := func() {
			a.hook("MessageDisplay", map[string]any{"prompt_id": prompt, "turn_id": turn, "message_id": id, "index": i, "final": i == len(pieces)-1, "delta": piece})
		}
		if i == len(pieces)-1 && t.LateHooks > 0 {
			time.AfterFunc(t.LateHooks, show)
			continue
		}
		show()
	}
}

// answer returns the text blocks of the turn's answer.
func (t Turn) answer(prompt string) []string {
	texts := append([]string(nil), t.Blocks...)
	if len(texts) == 0 {
		texts = []string{t.Text}
		if t.Text == "" {
			texts[0] = "You said: " + prompt
		}
	}
	have := 0
	for _, s := range texts {
		have += len(s)
	}
	if need := t.Size - have; need > 0 {
		const filler = "\nAll work and no play makes a long answer."
		last := &texts[len(texts)-1]
		*last += strings.Repeat(filler, need/len(filler)+1)[:need]
	}
	return texts
}

// message returns an assistant message with one block.
func (a *agent) message(id, stop string, u usage, b block) assistantMessage {
	m := assistantMessage{ID: id, Type: "message", Role: "assistant", Model: a.rec.model, Content: []block{b}, Usage: u}
	switch stop {
	case "":
		stop = "end_turn"
		fallthrough
	default:
		m.StopReason = &stop
	case "null":
	}
	return m
}

// tools makes the tool calls of one message. It reports false if the user declined one
// without a message.
func (a *agent) tools(ctx context.Context, tools []Tool) bool {
	id, u := "msg_"+uuid.New(), usage{InputTokens: 3, OutputTokens: 7, ServiceTier: "standard"}
	calls := make([]string, len(tools))
	for i := range tools {
		t := &tools[i]
		if t.Narration != "" {
			a.display(ctx, Turn{}, t.Narration)
			a.rec.add(entry{Type: "assistant", Message: a.message(id, "tool_use", u, block{Type: "text", Text: t.Narration})})
			a.say("● " + t.Narration)
		}
		calls[i] = "toolu_" + uuid.New()
		a.rec.add(entry{Type: "assistant", Message: a.message(id, "tool_use", u, block{
			Type: "tool_use", ID: calls[i], Name: "Bash", Input: map[string]any{"command": t.command()},
		})})
	}
	going := true
	for i := range tools {
		const rejected = "The user doesn't want to proceed with this tool use. The tool use was rejected."
		result, isError := rejected, true
		if going {
			var message string
			switch isError, message = a.tool(ctx, &tools[i]); {
			case message != "":
				result = message
			case isError && tools[i].Withdraw != "":
			case isError:
				going = false
			case tools[i].Result != "":
				result = tools[i].Result
			default:
				result = "(Bash completed with no output)"
			}
		}
		a.rec.add(entry{
			Type:          "user",
			Message:       userMessage{"user", []block{{Type: "tool_result", ToolUseID: calls[i], Content: result, IsError: &isError}}},
			ToolUseResult: map[string]any{"stdout": tools[i].Result, "stderr": "", "interrupted": isError},
		})
	}
	return going
}

// tool asks for permission for a tool call, if the script says so.
func (a *agent) tool(ctx context.Context, t *Tool) (declined bool, message string) {
	a.hook("PreToolUse", map[string]any{"tool_name": "Bash", "tool_input": map[string]any{"command": t.command()}})
	if !t.Ask {
		return false, ""
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if t.Withdraw != "" {
		go func() {
			for pause(ctx, 20*time.Millisecond) {
				if _, err := os.Stat(t.Withdraw); err == nil {
					cancel()
				}
			}
		}()
	}
	decided := make(chan decision, 1)
	if !t.Unreported {
		go func() {
			if !pause(ctx, t.LateReport) {
				return
			}
			if d := a.permission(map[string]any{"command": t.command()}); d != (decision{}) {
				decided <- d
				cancel()
			}
		}()
	}
	d := permissionDialog(t)
	n := a.ask(ctx, d, func() { a.stall(t.Stall) })
	if n != cancelled {
		return !strings.HasPrefix(d.options[n], "Yes"), ""
	}
	select {
	case d := <-decided:
		if d.Interrupt {
			d.Message = ""
		}
		return d.Behavior != "allow", d.Message
	default:
		return true, ""
	}
}

// stall works in the main loop, so that no key is read, and ends what is not
// drawn.
func (a *agent) stall(d time.Duration) {
	for began := time.Now(); time.Since(began) < d; {
	}
	a.stalled = false
}

// mention matches a file named in a prompt.
var mention = regexp.MustCompile(`(?:^|\s)@(?:"([^"]+)"|(\S+))`)

// attach reads every file that the prompt mentions and records its content,
// unless the environment forbids it.
func (a *agent) attach(prompt string) {
	if os.Getenv("CLAUDE_CODE_DISABLE_ATTACHMENTS") != "" {
		return
	}
	for _, m := range mention.FindAllStringSubmatch(prompt, -1) {
		name := m[1] + m[2]
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(a.dir, path)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		a.rec.add(entry{Type: "attachment", Attachment: map[string]any{
			"type": "file", "filename": path, "displayPath": name,
			"content": map[string]any{"type": "text", "file": map[string]any{
				"filePath": path, "content": string(b), "numLines": 1 + strings.Count(string(b), "\n"),
			}},
		}})
	}
}

// blink changes the row above the box until ctx ends.
func (a *agent) blink(ctx context.Context) {
	for i := 0; pause(ctx, 300*time.Millisecond); i++ {
		a.do(func() {
			a.screen.status = [...]string{"● Working…", "  Working…"}[i%2]
			a.draw()
		})
	}
}

// say shows a paragraph.
func (a *agent) say(text string) {
	a.do(func() {
		a.screen.say(text)
		a.draw()
	})
}
