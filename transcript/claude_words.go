package transcript

// This file says what claude's words mean. Only claudeInterruption decides by words
// that a person or a model could have written.

// claudeEnd returns how a message with that stop reason ended. An unknown stop reason
// is final, and so is pause_turn: no version goes on after it.
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

// claudeErrorEnd returns how the message ended that an error replaces.
func claudeErrorEnd(stopReason, kind string) End {
	switch {
	case stopReason == "refusal":
		return EndRefused
	case kind == "max_output_tokens":
		return EndCut
	case stopReason == "tool_use":
		return EndTools
	}
	return EndUnknown
}

// end returns End. If it is zero, a program may have made the event by hand: then end
// returns what claude's words mean.
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

// temporary reports whether the cause of an error without a status may pass.
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

func (e *APIError) unauthorized() bool {
	return e.Kind == "authentication_failed" || e.Type == "authentication_error"
}

// claudeInterruption recognises an interruption by its wording. 2.1.104 does not mark
// it in another way, nor do later versions before the first answer. The line's
// content is a list of one block; what a person types is a string. A [Turn] also
// compares the line's prompt id.
func claudeInterruption(text string, typed bool) bool {
	return !typed && (text == "[Request interrupted by user]" || text == "[Request interrupted by user for tool use]")
}

// claudeStop is the event of the hooks that run when claude is about to stop.
const claudeStop = "Stop"

// claudeStopSummary is the kind of the line that claude writes when all Stop hooks
// have run. If one of them objected, the objection stands before this line (2.1.104,
// 2.1.158, 2.1.330).
const claudeStopSummary = "stop_hook_summary"

// A program may have made these events by hand, without the fields that the decoder
// sets.

func (u *User) interruption() bool { return u.Interruption || claudeInterruption(u.Text, u.Typed) }

func (h *HookOutput) stopping() bool { return h.Stopping || h.Kind == claudeStopSummary }
