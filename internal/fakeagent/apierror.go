package fakeagent

import (
	"fmt"

	"github.com/tuiturn/tuiturn/internal/apikind"
	"github.com/tuiturn/tuiturn/internal/uuid"
)

// maxRetries is how often the real agent tries again (2.1.104, 2.1.330).
const maxRetries = 10

func (e *APIError) status() int {
	if e.Status == 0 {
		return 500
	}
	return e.Status
}

// kind is the service's error type.
func (e *APIError) kind() string {
	if e.Kind != "" {
		return e.Kind
	}
	return apikind.Of(e.status())
}

// refused tells whether the agents treat the failure as a login that is not accepted
// (2.1.104, 2.1.330).
func (e *APIError) refused() bool { return e.status() == 401 || e.status() == 403 }

// body is the service's answer.
func (e *APIError) body() string {
	return fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":"the fake service failed"}}`, e.kind())
}

// text is the error as the agent words it.
func (e *APIError) text() string {
	s := fmt.Sprintf("API Error: %d %s", e.status(), e.body())
	if e.refused() {
		s = "Please run /login · " + s
	}
	return s
}

// retry returns the line of 2.1.104 for one failed attempt.
func (e *APIError) retry(attempt int) entry {
	return entry{
		Type: "system", Subtype: "api_error", Level: "error",
		Error:     map[string]any{"status": e.status(), "error": map[string]any{"type": "error", "error": map[string]any{"type": e.kind(), "message": "the fake service failed"}}},
		RetryInMs: float64(e.RetryDelay.Milliseconds()), RetryAttempt: attempt, MaxRetries: maxRetries,
	}
}

// reason is the error's name in the agent's own words.
func (e *APIError) reason() string {
	if e.refused() {
		return "authentication_failed"
	}
	return "unknown"
}

// final returns the line of 2.1.330 that ends the turn.
func (e *APIError) final() entry {
	stop, sequence := "stop_sequence", ""
	return entry{
		Type: "assistant", Error: e.reason(), IsAPIError: true, APIErrorStatus: e.status(), APIErrorType: e.kind(),
		Message: assistantMessage{
			ID: uuid.New(), Type: "message", Role: "assistant", Model: "<synthetic>",
			Content:    []block{{Type: "text", Text: e.text()}},
			StopReason: &stop, StopSequence: &sequence,
		},
	}
}
