package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/internal/redact"
)

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&Error{Op: "answering", Err: ErrRefused}, "answering: the model refused to answer"},
		{&Error{Op: "answering", Err: ErrRefused, Screen: "row"}, "answering: the model refused to answer"},
		{&APIError{}, "the service failed"},
		{&APIError{Status: 529, Type: "overloaded_error", Message: "busy"}, "the service failed with HTTP 529 (overloaded_error): busy"},
		{&APIError{Status: 401, Kind: "authentication_failed"}, "the service failed with HTTP 401 (authentication_failed)"},
		{&APIError{Kind: "unknown", Message: "gone"}, "the service failed: gone"},
		{&BlockedError{Kind: "unknown", Highlighted: -1}, "the agent waits for a person (unknown dialog): Error.Screen shows it: if it comes at every start, start the agent once by hand in its home and answer it"},
		{&BlockedError{Kind: "question", Options: []string{"Red", "Blue"}}, "the agent waits for a person (question dialog: Red / Blue): a tool asks a question: leave tools that ask out of Request.Tools, set Request.NoTools, or say in the prompt that nobody can answer"},
		{&BlockedError{Kind: "settings", Options: []string{"Exit"}}, "the agent waits for a person (settings dialog: Exit): a settings file has errors, and the agent would ignore all of the file: correct it"},
		{&BlockedError{Kind: "trust", Options: []string{"Yes", "No"}}, "the agent waits for a person (trust dialog: Yes / No): start the agent once by hand in its home and answer it"},
		{&BlockedError{Kind: "login"}, "the agent waits for a person (login dialog): it has no login: set Runner.Token, and do not log in by hand"},
		{&Error{Op: "answering", Err: multierror.Append(ErrTruncated, fmt.Errorf("tearing down: %w", multierror.Append(nil, io.EOF, io.ErrClosedPipe)))},
			"answering: the answer is incomplete: it hit a token limit; tearing down: EOF; io: read/write on closed pipe"},
		{&Error{Op: "answering", Err: &APIError{Message: "Not now.\nTry later.\n"}}, "answering: the service failed: Not now.; Try later."},
		{&ExitError{Status: 3 << 8}, "the agent ended by itself with status 3"},
		{&ExitError{Status: syscall.WaitStatus(syscall.SIGKILL)}, "the agent was ended by signal 9 (killed)"},
	} {
		is := is.New(t)
		is.Equal(c.err.Error(), c.want)
	}
}

func TestErrorIs(t *testing.T) {
	is := is.New(t)
	for _, err := range []error{
		&APIError{Status: 401},
		&APIError{Kind: "authentication_failed"}, // 2.1.104 records no status
		&APIError{Type: "authentication_error"},
		&BlockedError{Kind: "login"},
	} {
		is.True(errors.Is(&Error{Err: err}, ErrAuthentication))
	}
	for _, err := range []error{&APIError{Status: 403}, &APIError{}, &BlockedError{Kind: "trust"}, &ExitError{}} {
		is.True(!errors.Is(&Error{Err: err}, ErrAuthentication))
	}
}

// An error ends up in a log. What it shows of the screen holds neither the
// prompt, however it is wrapped, nor the token.
func TestErrorsKeepSecrets(t *testing.T) {
	t.Parallel()
	words := strings.Fields(`Dear diary nobody may ever read that between Tuesday morning and the
		following weekend 4711 crocodiles emigrated quietly southwards without telling anybody`)
	prompt := strings.Join(words, " ") + "\n" + strings.Join(words, "\n    ") + "\x1b" + strings.Join(words, "-")
	for name, script := range map[string]fakeagent.Script{
		"in the conversation": {Footer: "logged in with " + dummyToken, Turns: []fakeagent.Turn{{Hang: true}}},
		"in the input line":   {Footer: "logged in with " + dummyToken, Turns: []fakeagent.Turn{{SwallowEnters: 1000}}},
		"in a menu": {Turns: []fakeagent.Turn{{Tool: &fakeagent.Tool{
			Command: "curl -H 'authorization: " + dummyToken + "'\n ❯ 0. " + dummyToken, Ask: true,
		}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
				is := is.New(t)
				s := newStage(t, kind, script)
				s.Env = append(s.Env, "MY_API_KEY="+dummyToken+"-also")
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				late := func() { time.AfterFunc(2*time.Second, func() { cancel(context.DeadlineExceeded) }) }
				_, err := s.turn(ctx, Request{Prompt: prompt, Trace: &Trace{Delivered: late}})
				e := as[*Error](t, err)
				is.True(strings.Contains(e.Screen, redact.Mask))
				shown := err.Error() + "\n" + e.Screen
				for _, word := range words {
					if len(word) > 5 && strings.Contains(shown, word) {
						t.Errorf("the error has %q: %s", word, shown)
					}
				}
				for i := range len(dummyToken) - redact.Gram {
					if strings.Contains(shown, dummyToken[i:i+redact.Gram]) {
						t.Fatalf("the error has %q: %s", dummyToken[i:i+redact.Gram], shown)
					}
				}
			})
		})
	}
}
