package tuiturn

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

// A session that its agent names has no other name before that, and no other one is
// given to a caller.
func TestSessionThatTheAgentNames(t *testing.T) {
	t.Parallel()
	for _, at := range []fakeagent.Stage{fakeagent.AtReady, fakeagent.AtSubmit} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			s := setting{Pty, at}.newStage(t, fakeagent.Script{})
			c := s.talk(Request{})
			is.Equal(c.SessionID() != "", at == fakeagent.AtReady)

			// Nobody else may open the session as soon as it has its name.
			resume := func() error {
				_, err := s.Resume(t.Context(), c.SessionID(), Request{WorkDir: s.work})
				return err
			}
			var err error
			res, turnErr := c.turn(t.Context(), TurnRequest{Prompt: "one", Trace: &Trace{Submitted: func() { err = resume() }}})
			is.NoErr(turnErr)
			is.True(errors.Is(err, ErrBusy))
			is.True(errors.Is(resume(), ErrBusy))
			name := c.SessionID()
			is.Equal(res.SessionID, name)
			is.True(name != c.seat.Start.Session)
			c.echoed("two")
			is.Equal(c.SessionID(), name) // the first is the name

			is.NoErr(c.Close())
			again := s.resume(name)
			is.Equal(again.SessionID(), name)
			is.Equal(again.prompts(), []string{"one", "two"})
			again.echoed("three")
			is.Equal(again.prompts(), []string{"one", "two", "three"})
		})
	}
}

// A turn that fails before the agent has told its name has no session, though it has one
// where we give the name.
func TestSessionWithoutAName(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, fakeagent.Script{})
		named := on.rollout == ""
		res, err := s.turn(t.Context(), Request{})
		is.True(errors.Is(err, ErrEmptyPrompt))
		is.Equal(res.SessionID != "", named)

		ctx, cancel := context.WithCancel(t.Context())
		res, err = s.turn(ctx, Request{Prompt: "hello", Trace: &Trace{Ready: cancel}})
		is.True(errors.Is(err, context.Canceled))
		is.Equal(res.SessionID != "", named)

		for range 2 { // nor is it busy because it was asked for before
			_, err = s.Resume(t.Context(), "", Request{WorkDir: s.work})
			is.True(err != nil && !errors.Is(err, ErrBusy)) // that is no session
		}
	})
}

// A mute agent's hooks are switched off.
type muteAgent struct{ rolloutAgent }

func (a muteAgent) agent() agent.Agent { return a }

func (a muteAgent) Launch(s *agent.Start) (agent.Launch, error) { return a.Agent.Launch(s) }

// Without its hooks an agent that names its sessions cannot be followed.
func TestAgentThatTellsNoName(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := setting{Pty, fakeagent.AtSubmit}.newStage(t, fakeagent.Script{})
	s.Agent = muteAgent{s.Agent.(rolloutAgent)}
	res, err := s.turn(t.Context(), Request{Prompt: "hello"})
	is.True(err != nil && strings.Contains(err.Error(), "hooks are switched off"))
	is.True(!errors.Is(err, ErrNotAccepted)) // it was
	is.Equal(res.SessionID, "")
}

// An error that only a hook reports ends its own turn, also in a conversation that goes
// on. The hook of the second turn's error comes when the third one works.
func TestErrorsOfAConversation(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	overloaded := fakeagent.Turn{APIError: &fakeagent.APIError{Status: 529}}
	late := overloaded
	late.LateHooks, late.Hang, late.Partial = 700*time.Millisecond, true, "half"
	s := setting{Pty, fakeagent.AtSubmit}.newStage(t, fakeagent.Script{Turns: []fakeagent.Turn{overloaded, late, {Delay: 1500 * time.Millisecond}, overloaded}})
	c := s.talk(Request{})
	_, err := c.say(t.Context(), "one")
	is.Equal(as[*APIError](t, err).Status, 529)

	ctx, cancel := context.WithCancel(t.Context())
	_, err = c.turn(ctx, TurnRequest{Prompt: "two", Trace: &Trace{Submitted: cancel}})
	is.True(errors.Is(err, context.Canceled))
	c.echoed("three")

	_, err = c.say(t.Context(), "four")
	is.Equal(as[*APIError](t, err).Status, 529)
}

// A name that was told at the start is known although a cleaner has taken the report.
func TestNameOutlivesItsReport(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := pooled(t, setting{Pty, fakeagent.AtReady}, fakeagent.Script{}, Pool{Size: 1})
	is.NoErr(s.warm(Request{}))
	spare := s.spare(t)
	is.NoErr(os.RemoveAll(spare.Start.Dir))
	res, err := s.turn(t.Context(), Request{Prompt: "hello"})
	is.NoErr(err)
	is.True(res.Warm)
	is.True(res.SessionID != "")
	is.Equal(res.SessionID, spare.SessionID())
}
