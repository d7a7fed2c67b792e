package transcript

import "strings"

// Add counts what is new in ev, which must still have its Raw: it is where a
// field that is missing is told from one that is null.
func (d *Drift) Add(ev Event) {
	switch b := ev.Body.(type) {
	case *Idle:
		return
	case *Malformed:
		d.count(ev, "malformed line", "")
		return
	case *Unknown:
		if !knownTypes[b.Type] {
			d.count(ev, "unknown type ", b.Type)
		}
		return
	case *Assistant:
		d.assistant(ev, b)
	case *ToolResults:
		for _, r := range b.Results {
			d.need(ev, r.ToolUseID != "", "tool_use_id")
		}
	case *User:
		d.need(ev, b.Text != "" || has(ev.Raw, "message", "content"), "message.content")
	case *System:
		if !knownSubtypes[b.Subtype] {
			d.count(ev, "unknown subtype ", b.Subtype)
		}
	}
	d.need(ev, ev.UUID != "", "uuid")
	d.need(ev, ev.SessionID != "", "sessionId")
	d.need(ev, ev.Version != "", "version")
	d.need(ev, !ev.Timestamp.IsZero(), "timestamp")
}

func (d *Drift) assistant(ev Event, a *Assistant) {
	d.need(ev, a.MessageID != "", "message.id")
	d.need(ev, a.Usage != Usage{} || has(ev.Raw, "message", "usage"), "message.usage")
	d.need(ev, a.StopReason != "" || has(ev.Raw, "message", "stop_reason"), "message.stop_reason")
	d.need(ev, len(a.Blocks) > 0 || has(ev.Raw, "message", "content"), "message.content")
	if a.StopReason != "" && !knownStops[a.StopReason] {
		d.count(ev, "unknown stop_reason ", a.StopReason)
	}
	for _, b := range a.Blocks {
		if !knownBlocks[b.Type] {
			d.count(ev, "unknown block ", b.Type)
		}
		if b.Type == "tool_use" {
			d.need(ev, b.ID != "", "tool_use.id")
		}
	}
}

func (d *Drift) need(ev Event, there bool, field string) {
	if !there {
		d.count(ev, "missing "+field, "")
	}
}

// has reports whether the object in line has the member that path leads to.
func has(line []byte, path ...string) bool {
	s := scanner{b: line}
	for _, key := range path {
		if !s.find(key) {
			return false
		}
	}
	return true
}

// find goes to the value of the member called key.
func (s *scanner) find(key string) bool {
	for o := s.walk(); o.next(); {
		if string(o.key) == key {
			return true
		}
	}
	return false
}

var (
	knownTypes = words(`
		agent-color agent-name agent-setting ai-title api-request api-request-blob
		api-request-resumed api-request-shape artifact-autoreact-ledger
		artifact-comment-monitor atis-latch attachment attribution-snapshot
		bridge-session content-replacement continued-in cost-state custom-title
		data-flow-incomplete data-flow-records derived-from dev-mods
		ended-by-model file-history-delta file-history-snapshot fork-context-ref
		frame-link history-suppression host-row hybrid-organization
		isolation-latch last-prompt marble-origami-commit marble-origami-snapshot
		memory-mode mode observer-ref permission-mode pr-link progress
		queue-operation relocated repl-mode resume-head-vouch session-owner
		speculation-accept summary tag tools-used worktree-state`)

	knownSubtypes = words(`
		agents_killed api_error api_retry away_summary background_tasks_changed
		bridge_state bridge_status checkpoint_done code_change_published
		compact_boundary elicitation_complete file_attachments_missing
		file_snapshot hook_progress hook_response hook_started informational init
		instruction_size_warning late_allow_not_run local_command memory_recall
		memory_saved mirror_error model_consent_fallback model_fallback
		model_refusal_fallback model_refusal_no_fallback notification
		per_turn_effort_changed permission_denied permission_retry plugin_install
		post_turn_summary rewind_stand_in scheduled_task_fire session_metadata
		session_state_changed session_title_changed session_writes_lost status
		stop_hook_summary task_notification task_progress task_started
		task_summary task_updated thinking_tokens turn_duration turn_preempted`)

	// Of the API, with those that a version may pass on one day.
	knownStops = words(`
		end_turn max_tokens model_context_window_exceeded pause_turn refusal
		stop_sequence tool_use`)
	knownBlocks = words(`redacted_thinking server_tool_use text thinking tool_use web_search_tool_result`)
)

func words(s string) map[string]bool {
	known := make(map[string]bool)
	for word := range strings.FieldsSeq(s) {
		known[word] = true
	}
	return known
}
