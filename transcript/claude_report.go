package transcript

import "encoding/json"

// claudeReport is Format.Report. Two hooks can tear each other's lines, so
// claudeReport uses encoding/json, which checks the whole line. Reports are few.
func claudeReport(line []byte) Event {
	ev := Event{Raw: line, End: int64(len(line)) + 1}
	var r struct {
		Name      string `json:"hook_event_name"`
		SessionID string `json:"session_id"`
		Path      string `json:"transcript_path"`
		AgentID   string `json:"agent_id"`  // of a subagent
		PromptID  string `json:"prompt_id"` // 2.1.330

		// Of MessageDisplay.
		TurnID    string `json:"turn_id"`
		MessageID string `json:"message_id"`
		Index     int    `json:"index"`
		Delta     string `json:"delta"`

		Pid         int    `json:"pid"`                    // of Asked
		LastMessage string `json:"last_assistant_message"` // of Stop
	}
	if err := json.Unmarshal(line, &r); err != nil {
		ev.Body = &Malformed{err}
		return ev
	}
	ev.SessionID, ev.PromptID, ev.TurnID, ev.Sidechain = r.SessionID, r.PromptID, r.TurnID, r.AgentID != ""
	switch r.Name {
	case "SessionStart":
		ev.Body = &Started{SessionID: r.SessionID, Path: r.Path}
	case "MessageDisplay":
		ev.Body = &Shown{MessageID: r.MessageID, Index: r.Index, Text: r.Delta}
	case "Stop":
		ev.Body = &Stopping{Text: r.LastMessage}
	case "Asked":
		ev.Body = &Asked{Pid: r.Pid}
	default:
		ev.Body = &Unknown{r.Name}
	}
	return ev
}
