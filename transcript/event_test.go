package transcript_test

import (
	"fmt"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/transcript"
)

// What each version wrote for each failure.
func TestRetryable(t *testing.T) {
	for _, c := range []struct {
		err  transcript.APIError
		want bool
	}{
		{transcript.APIError{Status: 429, Kind: "rate_limit"}, true}, // a usage limit, 2.1.158
		{transcript.APIError{Kind: "rate_limit"}, true},              // the same, 2.1.104
		{transcript.APIError{Kind: "server_error"}, true},            // no connection, 2.1.330
		{transcript.APIError{Kind: "unknown", Attempts: 4}, true},    // the same, 2.1.104
		{transcript.APIError{Kind: "unknown"}, false},
		{transcript.APIError{Status: 529, Type: "overloaded_error", Kind: "unknown"}, true},
		{transcript.APIError{Type: "overloaded_error"}, true},
		{transcript.APIError{Status: 400, Type: "invalid_request_error", Kind: "unknown"}, false},
		{transcript.APIError{Status: 402, Type: "api_error", Kind: "unknown"}, false},
		{transcript.APIError{Kind: "invalid_request"}, false}, // HTTP 413, 2.1.104
		{transcript.APIError{Kind: "authentication_failed", Attempts: 10}, false},
		{transcript.APIError{Type: "authentication_error", Attempts: 10}, false},
		{transcript.APIError{Status: 401, Attempts: 10}, false},
		{transcript.APIError{Kind: "usage_limit_exceeded"}, false},
		{transcript.APIError{Kind: "usage_limit_exceeded", Temporary: true}, true}, // the decoder knows the word
	} {
		t.Run(fmt.Sprintf("%+v", c.err), func(t *testing.T) { is.New(t).Equal(c.err.Retryable(), c.want) })
	}
}
