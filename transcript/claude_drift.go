package transcript

import "strings"

// claudeDrift is Format.Drift. For a known line it allocates nothing.
func claudeDrift(ev Event) []string {
	d := drifts{ev: ev}
	switch b := ev.Body.(type) {
	case *Idle:
		return nil
	case *Malformed:
		return []string{"malformed line"}
	case *Unknown:
		d.know(knownTypes, "unknown type ", b.Type)
		return d.seen
	case *Assistant:
		d.assistant(b)
	case *ToolResults:
		for _, r := range b.Results {
			d.need(r.ToolUseID != "", "tool_use_id")
		}
	case *User:
		d.need(b.Text != "" || has(ev.Raw, "message", "content"), "message.content")
	case *System:
		d.know(knownSubtypes, "unknown subtype ", b.Subtype)
	}
	d.need(ev.UUID != "", "uuid")
	d.need(ev.SessionID != "", "sessionId")
	d.need(ev.Version != "", "version")
	d.need(!ev.Timestamp.IsZero(), "timestamp")
	return d.seen
}

// drifts gathers what is new in one event.
type drifts struct {
	ev   Event
	seen []string
}

func (d *drifts) assistant(a *Assistant) {
	d.need(a.MessageID != "", "message.id")
	d.need(a.Usage != Usage{} || has(d.ev.Raw, "message", "usage"), "message.usage")
	d.need(a.StopReason != "" || has(d.ev.Raw, "message", "stop_reason"), "message.stop_reason")
	d.need(len(a.Blocks) > 0 || has(d.ev.Raw, "message", "content"), "message.content")
	if a.StopReason != "" {
		d.know(knownStops, "unknown stop_reason ", a.StopReason)
	}
	for _, b := range a.Blocks {
		d.know(knownBlocks, "unknown block ", b.Type)
		if b.Type == toolBlock {
			d.need(b.ID != "", "tool_use.id")
		}
	}
}

func (d *drifts) need(there bool, field string) {
	if !there {
		d.seen = append(d.seen, "missing "+field)
	}
}

func (d *drifts) know(known map[string]bool, what, name string) {
	if !known[name] {
		d.seen = append(d.seen, what+name)
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

	// The API's words, also those that a version may record one day.
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
