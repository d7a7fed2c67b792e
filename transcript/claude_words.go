package transcript

// This file says what claude's words mean. No word of an answer or of a prompt
// is among them, but for one (claudeInterruption).

// claudeEnd returns how a message with that stop reason ended. An unknown one is
// final, and so is pause_turn: no version goes on after it.
func claudeEnd(stopReason string) End {
	switch stopReason {
	case "":
		return EndUnknown
	case "tool_use":
		return EndTools
	case "max_tokens": // the agent asks for the rest, up to three times
		return EndCut
	case "model_context_window_exceeded":
		return EndFull
	case "refusal": // 2.1.330 asks once more
		return EndRefused
	}
	return EndFinal
}

// claudeErrorEnd returns how the message ended that an error stands for.
func claudeErrorEnd(stopReason, kind string) End {
	switch {
	case stopReason == "refusal":
		return EndRefused
	case stopReason == "tool_use":
		return EndTools
	case kind == "max_output_tokens":
		return EndCut
	}
	return EndUnknown
}

// end is End, and claude's meaning of the other fields where End is zero: a
// program may have made the event by hand.
func (a *Assistant) end() End {
	if a.End != EndUnknown {
		return a.End
	}
	return claudeEnd(a.StopReason)
}

func (e *APIError) end() End {
	if e.End != EndUnknown {
		return e.End
	}
	return claudeErrorEnd(e.StopReason, e.Kind)
}

// temporary reports whether an error without a status may be gone later.
func (e *APIError) temporary() bool {
	switch e.Kind {
	case "rate_limit", // a usage limit too (2.1.104)
		"server_error": // a connection that failed (2.1.330)
		return true
	case "authentication_failed", "invalid_request", "billing_error":
		return false
	}
	switch e.Type {
	case "rate_limit_error", "overloaded_error", "api_error", "timeout_error":
		return true
	}
	// 2.1.104 names a connection that failed "unknown", but repeats the request.
	return e.Attempts > 0 && e.Type == ""
}

// claudeInterruption tells an interruption by its wording. 2.1.104 marks one in no
// other way, nor do later versions before the first answer. What a person types is
// a string; this is a list of one block.
func claudeInterruption(text string, typed bool) bool {
	return !typed && (text == "[Request interrupted by user]" || text == "[Request interrupted by user for tool use]")
}

// claudeStopSummary is the kind of the line that the agent writes when all Stop
// hooks have run. If one of them objected, the objection stands before this line
// (2.1.104, 2.1.158, 2.1.330).
const claudeStopSummary = "stop_hook_summary"
