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

// A failure is an error as a client gets it. Each API has a shape of its own for
// it; the statuses are the same.
type failure struct {
	status  int
	message string

	retryAfter time.Duration // zero: nothing is said
	hopeless   bool          // of a status that clients try again: this one would only cost a turn
}

func (f *failure) Error() string { return f.message }

func badRequest(format string, args ...any) error {
	return &failure{status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

const (
	// statusOverloaded is Anthropic's.
	statusOverloaded = 529

	// statusGone stands in the log and the metrics for a client that did not wait.
	statusGone = 499

	// retryAfter is what a client is told when the queue is full. A turn takes
	// seconds.
	retryAfter = 5 * time.Second
)

// failed is what came of a turn as a failure, nil if it gave an answer. One that
// hit a limit and one that the model broke off are answers, whose stop reason
// tells.
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
		return &failure{status: statusGone, message: "the client has gone"}
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

// serviceStatus is the status that the service gave the agent, or that goes with
// the kind of error where the agent has recorded no status.
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

// stopReason is why an answer ended, in Anthropic's words.
func stopReason(err error) string {
	switch {
	case errors.Is(err, tuiturn.ErrTruncated):
		return "max_tokens"
	case errors.Is(err, tuiturn.ErrRefused):
		return "refusal"
	}
	return "end_turn"
}
