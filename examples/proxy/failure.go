package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// A failure is an error for a client. Both APIs use the same statuses, in bodies of
// different form.
type failure struct {
	status  int
	message string

	retryAfter time.Duration // zero: nothing is said
	hopeless   bool          // clients retry this status, but here a retry would only cost a turn
}

func (f *failure) Error() string { return f.message }

func badRequest(format string, args ...any) error {
	return &failure{status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

const (
	// statusOverloaded is Anthropic's.
	statusOverloaded = 529

	// statusGone is the status in the log and the metrics if the client disconnected.
	statusGone = 499

	// retryAfter is the time after which a client may retry if the queue is full. A
	// turn takes seconds.
	retryAfter = 5 * time.Second
)

// failed returns the failure of a turn, or nil if the turn gave an answer. An answer
// that hit a limit, and a refusal of the model, count as answers: the stop reason tells
// the client.
func failed(err error) *failure {
	var (
		f       *failure
		service *tuiturn.APIError
		blocked *tuiturn.BlockedError
	)
	switch {
	case err == nil, errors.Is(err, tuiturn.ErrTruncated), errors.Is(err, tuiturn.ErrRefused):
		return nil
	case errors.As(err, &f):
		return f
	case errors.Is(err, tuiturn.ErrQueueFull):
		return &failure{status: http.StatusTooManyRequests, message: "too many turns are waiting: try again later", retryAfter: retryAfter}
	case errors.Is(err, tuiturn.ErrClosed):
		return &failure{status: http.StatusServiceUnavailable, message: "the proxy is shutting down", retryAfter: retryAfter}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{status: http.StatusGatewayTimeout, message: "the turn took longer than -timeout", hopeless: true}
	case errors.Is(err, context.Canceled):
		return &failure{status: statusGone, message: "the client has disconnected"}
	case errors.Is(err, tuiturn.ErrEmptyPrompt), errors.Is(err, tuiturn.ErrInvalidPrompt):
		return &failure{status: http.StatusBadRequest, message: err.Error()}
	case errors.Is(err, tuiturn.ErrAuthentication), errors.Is(err, tuiauth.ErrCredential):
		return &failure{status: http.StatusUnauthorized, message: "the agent's login is not accepted (the proxy's, not the client's key): " + err.Error()}
	case errors.As(err, &service):
		return &failure{status: serviceStatus(service), message: err.Error(), hopeless: !service.Retryable()}
	case errors.As(err, &blocked):
		return &failure{status: http.StatusInternalServerError, message: err.Error(), hopeless: true}
	}
	return &failure{status: http.StatusInternalServerError, message: err.Error()}
}

// serviceStatus returns the status that the service gave the agent. Where the agent
// has recorded none, it is the usual status for the kind of error.
func serviceStatus(e *tuiturn.APIError) int {
	switch {
	case e.Status >= 400 && e.Status <= 599:
		return e.Status
	case e.Type == "overloaded_error":
		return statusOverloaded
	case e.Type == "rate_limit_error", e.Kind == "rate_limit":
		return http.StatusTooManyRequests
	case e.Type == "invalid_request_error", e.Kind == "invalid_request":
		return http.StatusBadRequest
	}
	return http.StatusBadGateway
}

// stopReason returns why an answer ended, in Anthropic's terms.
func stopReason(err error) string {
	switch {
	case errors.Is(err, tuiturn.ErrTruncated):
		return "max_tokens"
	case errors.Is(err, tuiturn.ErrRefused):
		return "refusal"
	}
	return "end_turn"
}
