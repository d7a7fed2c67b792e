package fakeagent

import (
	"context"
	"time"

	"github.com/tuiturn/tuiturn/internal/uuid"
)

// block does not take the prompt. The hooks take their time.
func (a *agent) block(ctx context.Context, r *Rest, prompt string) {
	pause(ctx, 100*time.Millisecond)
	if r.Recorded {
		prevent := true
		a.rec.add(entry{Type: "system", Subtype: "informational", Content: "UserPromptSubmit operation blocked by hook:\nno thanks",
			PreventContinuation: &prevent, PromptSubmitEnding: map[string]any{
				"ending": map[string]any{"kind": "blocked_by_hook", "reason": "no thanks"}, "promptKept": false,
			}})
	}
	a.say("● UserPromptSubmit operation blocked by hook:\n  no thanks")
	if r.Kept {
		a.do(func() {
			a.line.set(prompt)
			a.draw()
		})
	}
}

// rest records what the agent has to say and comes to rest.
func (a *agent) rest(r *Rest) {
	id, u := "msg_"+uuid.New(), usage{InputTokens: 3, OutputTokens: 7}
	stop := r.StopReason
	if r.Text != "" {
		a.rec.add(entry{Type: "assistant", Message: a.message(id, stop, u, block{Type: "text", Text: r.Text})})
		a.say("● " + r.Text)
	}
	if r.Tool {
		call := "toolu_" + uuid.New()
		a.rec.add(entry{Type: "assistant", Message: a.message(id, stop, u, block{Type: "tool_use", ID: call, Name: "Read", Input: map[string]any{}})})
		if r.Result {
			a.rec.add(entry{Type: "user", Message: userMessage{"user", []block{{Type: "tool_result", ToolUseID: call, Content: "ok"}}}})
		}
	}
	if r.Objected {
		meta := true
		a.rec.add(entry{Type: "user", IsMeta: &meta, Message: userMessage{"user", "Stop hook feedback:\nmore"}})
	}
	if r.Halted {
		a.rec.add(entry{Type: "attachment", Attachment: map[string]any{"type": "hook_stopped_continuation", "hookEvent": "PreToolUse", "message": "no thanks"}})
	}
	if r.Hook {
		said := r.Text
		if r.Tool || r.Objected {
			said = ""
		}
		a.hook("Stop", map[string]any{"stop_hook_active": false, "last_assistant_message": said, "prompt_id": a.rec.id})
	}
	if r.Summary {
		a.rec.add(entry{Type: "system", Subtype: "stop_hook_summary"})
	}
	if r.Duration {
		ms, meta := int64(1), false
		a.rec.add(entry{Type: "system", Subtype: "turn_duration", DurationMs: &ms, IsMeta: &meta})
	}
}
