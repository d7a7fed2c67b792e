package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/internal/redact"
	"github.com/tuiturn/tuiturn/internal/uuid"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// A talk is a conversation on a stage.
type talk struct {
	*Conversation
	s *stage
}

func (s *stage) talk(req Request) *talk {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if req.WorkDir == "" {
		req.WorkDir = s.work
	}
	c, err := s.Open(ctx, req)
	return s.talking(c, err)
}

func (s *stage) resume(session string) *talk {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	c, err := s.Resume(ctx, session, Request{WorkDir: s.work})
	return s.talking(c, err)
}

func (s *stage) talking(c *Conversation, err error) *talk {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { // before the stage is struck, which looks for directories
		if err := c.Close(); err != nil {
			s.t.Errorf("closing the conversation: %v", err)
		}
		if pids := processes(c.seat.Start.Session); len(pids) > 0 {
			s.t.Errorf("Close returned and left the processes %v", pids)
		}
	})
	return &talk{c, s}
}

// say is Turn with what must be true of each.
func (c *talk) say(ctx context.Context, prompt string) (*Result, error) {
	c.s.t.Helper()
	return c.turn(ctx, TurnRequest{Prompt: prompt})
}

func (c *talk) turn(ctx context.Context, req TurnRequest) (*Result, error) {
	c.s.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	res, err := c.Turn(ctx, req)
	if res == nil || res.SessionID != c.SessionID() {
		c.s.t.Fatalf("Turn returned the Result %+v in session %s", res, c.SessionID())
	}
	times := res.Timings
	addUp(c.s.t, times)
	if err != nil {
		as[*Error](c.s.t, err)
	} else if times.Teardown != 0 {
		c.s.t.Errorf("the conversation goes on, with a teardown of %v", times.Teardown)
	}
	return res, err
}

// echoed is a turn that must be answered with its prompt.
func (c *talk) echoed(prompt string) {
	c.s.t.Helper()
	res, err := c.say(c.s.t.Context(), prompt)
	if err != nil || res.Text != "You said: "+prompt {
		c.s.t.Fatalf("%q was answered with %q, %v", prompt, res.Text, err)
	}
}

// prompts are those that the history has.
func (c *talk) prompts() (all []string) {
	c.s.t.Helper()
	for ev, err := range c.History(c.s.t.Context()) {
		if err != nil {
			c.s.t.Fatal(err)
		}
		if u, ok := ev.Body.(*transcript.User); ok && u.Typed {
			all = append(all, u.Text)
		}
	}
	return all
}

func TestConversation(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		for name, script := range map[string]fakeagent.Script{
			"by the door":          {Turns: []fakeagent.Turn{{}}},
			"by paste":             {NoEditor: true},
			"lines that lag":       answers(fakeagent.Turn{WriteDelay: 100 * time.Millisecond}),
			"no duration":          answers(fakeagent.Turn{NoDuration: true}),
			"enters that get lost": answers(fakeagent.Turn{SwallowEnters: 1}),
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				s := on.newStage(t, script)
				c := s.talk(Request{})
				is.Equal(len(c.prompts()), 0)
				said := []string{"one", "two", "two", "two", "/exit is text", "several\nlines\n\nof it", "two"}
				for _, prompt := range said {
					if strings.HasPrefix(prompt, "/") {
						res, err := c.say(t.Context(), prompt)
						is.NoErr(err)
						is.Equal(res.Text, `You said: \`+prompt)
						continue
					}
					c.echoed(prompt)
				}
				said[4] = `\` + said[4]
				is.Equal(c.prompts(), said)
			})
		}
	})
}

func TestConversationOfAWarmAgent(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := pooled(t, on, fakeagent.Script{}, Pool{Size: 1})
		is.NoErr(s.warm(Request{}))
		spare := s.spare(t)
		c := s.talk(Request{})
		is.Equal(c.seat.Start.Session, spare.Start.Session)
		is.Equal(c.SessionID(), spare.SessionID())
		c.echoed("one")
		c.echoed("two")
		is.Equal(s.Stats().Pool.Hits, int64(1))
	})
}

// While one turn runs no other can, and the conversation holds no place among
// the Runner's turns while none does.
func TestConversationIsBusy(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, answers(fakeagent.Turn{Delay: 3 * time.Second}))
	s.Limits.Turns = 1
	c := s.talk(Request{})
	submitted := make(chan struct{})
	var first sync.WaitGroup
	first.Go(func() {
		_, err := c.turn(t.Context(), TurnRequest{Prompt: "one", Trace: &Trace{Submitted: func() { close(submitted) }}})
		is.NoErr(err)
	})
	<-submitted
	_, err := c.Turn(t.Context(), TurnRequest{Prompt: "two"})
	is.True(errors.Is(err, ErrBusy))
	_, err = s.Resume(t.Context(), c.SessionID(), Request{WorkDir: s.work})
	is.True(errors.Is(err, ErrBusy)) // nor can another agent have the session
	alias := filepath.Join(t.TempDir(), "home")
	is.NoErr(os.Symlink(s.home, alias))
	other := Runner{Agent: s.Agent, Home: tuiauth.Home{Dir: alias, Mode: tuiauth.Isolated}, Token: s.Token, Environ: s.Environ, Terminal: s.Terminal, TempDir: s.TempDir}
	_, err = other.Resume(t.Context(), c.SessionID(), Request{WorkDir: s.work})
	is.True(errors.Is(err, ErrBusy)) // nor by another name of its home
	is.NoErr(other.Close())
	first.Wait()
	_, err = s.turn(t.Context(), Request{Prompt: "another"})
	is.NoErr(err)
	c.echoed("three")
	is.Equal(s.Stats().Running, 0)
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		long := "first\n" + strings.Repeat("a line\n", 200) + "last"
		for name, x := range map[string]struct {
			turn     fakeagent.Turn
			prompt   string
			noEditor bool
			text     string
		}{
			"before the answer":         {turn: fakeagent.Turn{Hang: true}, prompt: "hello"},
			"in mid-answer":             {turn: fakeagent.Turn{Hang: true, Partial: "half"}, prompt: "hello", text: "half"},
			"a long prompt":             {turn: fakeagent.Turn{Hang: true}, prompt: long},
			"lines that lag":            {turn: fakeagent.Turn{Hang: true, WriteDelay: 100 * time.Millisecond}, prompt: "hello"},
			"an agent without a editor": {turn: fakeagent.Turn{Hang: true}, prompt: "hello there", noEditor: true},
			"a permission":              {turn: fakeagent.Turn{Tool: &fakeagent.Tool{Ask: true, Narration: "I will"}, Hang: false}, prompt: "hello"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				s := on.newStage(t, fakeagent.Script{NoEditor: x.noEditor, Turns: []fakeagent.Turn{{}, x.turn, {}}})
				// Asked for a permission the host is still thinking.
				c := s.talk(Request{OnPermission: func(ctx context.Context, _ PermissionRequest) (Decision, error) {
					<-ctx.Done()
					return Decision{}, ctx.Err()
				}})
				c.echoed("before")
				var interrupted sync.WaitGroup
				at := time.Now()
				res, err := c.turn(t.Context(), TurnRequest{Prompt: x.prompt, Trace: &Trace{Submitted: func() {
					interrupted.Go(func() {
						time.Sleep(50 * time.Millisecond) // it works
						at = time.Now()
						is.NoErr(c.Interrupt(t.Context()))
					})
				}}})
				interrupted.Wait()
				is.True(errors.Is(err, ErrInterrupted))
				is.True(inTime(time.Since(at), 2*time.Second))
				is.Equal(res.Text, x.text)
				is.NoErr(c.Interrupt(t.Context())) // there is nothing to stop
				c.echoed(x.prompt)                 // the same again is another one
				c.echoed("after")
			})
		}
	})
}

// A turn whose context ends is stopped at whatever stage it is, and the
// conversation goes on.
func TestConversationSurvivesAContext(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		for name, stage := range map[string]func(*Trace, func()){
			"ready":     func(tr *Trace, f func()) { tr.Ready = f },
			"submitted": func(tr *Trace, f func()) { tr.Submitted = f },
			"entered":   func(tr *Trace, f func()) { tr.Ready = func() { time.AfterFunc(60*time.Millisecond, f) } },
			"later":     func(tr *Trace, f func()) { tr.Submitted = func() { time.AfterFunc(300*time.Millisecond, f) } },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				s := on.newStage(t, fakeagent.Script{Turns: []fakeagent.Turn{{Delay: 200 * time.Millisecond}}})
				c := s.talk(Request{})
				for i := range 3 {
					ctx, cancel := context.WithCancel(t.Context())
					var tr Trace
					var at time.Time
					stage(&tr, func() { at = time.Now(); cancel() })
					_, err := c.turn(ctx, TurnRequest{Prompt: "stop this", Trace: &tr})
					cancel()
					if err != nil { // it may have been faster
						is.True(errors.Is(err, context.Canceled))
						is.True(inTime(time.Since(at), 2*time.Second))
					}
					c.echoed(fmt.Sprint("after ", i))
				}
			})
		}
	})
}

// A list that stands there when the next turn begins is left.
func TestRewindIsLeft(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		s := on.newStage(t, fakeagent.Script{Rewinds: true})
		c := s.talk(Request{})
		c.echoed("before")
		for range 2 {
			if err := c.seat.Term().SendKeys(t.Context(), "Escape"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(200 * time.Millisecond) // else it is one key
		}
		c.echoed("after")
	})
}

// An agent that does not stop is ended, and the conversation says so.
func TestInterruptIsIgnored(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, fakeagent.Script{Turns: []fakeagent.Turn{{}, {Deaf: true}}})
		c := s.talk(Request{})
		c.echoed("one")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var at time.Time
		res, err := c.turn(ctx, TurnRequest{Prompt: "two", Trace: &Trace{Submitted: func() { at = time.Now(); cancel() }}})
		is.True(errors.Is(err, context.Canceled))
		is.True(errors.Is(err, ErrEnded))
		is.True(inTime(time.Since(at), 5*time.Second)) // two to stop, two to end
		is.True(res.Timings.Teardown > 0)
		is.Equal(len(processes(c.seat.Start.Session)), 0)
		_, err = c.say(t.Context(), "three")
		is.True(errors.Is(err, ErrEnded))
		is.True(errors.Is(c.Interrupt(t.Context()), ErrEnded))

		again := s.resume(c.SessionID())
		again.echoed("four")
		is.Equal(again.prompts(), []string{"one", "two", "four"})
	})
}

func TestConversationLosesItsAgent(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, fakeagent.Script{Turns: []fakeagent.Turn{{}, {End: &fakeagent.End{At: fakeagent.AtReceipt, Status: 7}}}})

		c := s.talk(Request{}) // between two turns
		c.echoed("one")
		is.NoErr(syscall.Kill(c.seat.Term().Pid(), syscall.SIGKILL))
		<-c.seat.Term().Done()
		for range 2 {
			_, err := c.say(t.Context(), "two")
			is.Equal(as[*ExitError](t, err).Status.Signal(), syscall.SIGKILL)
			is.True(errors.Is(err, ErrEnded))
		}

		c = s.talk(Request{}) // in one
		c.echoed("one")
		_, err := c.say(t.Context(), "two")
		is.Equal(as[*ExitError](t, err).Status.ExitStatus(), 7)
		_, err = c.say(t.Context(), "three")
		is.Equal(as[*ExitError](t, err).Status.ExitStatus(), 7)
		is.True(errors.Is(err, ErrEnded))
	})
}

func TestConversationIsClosed(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		for name, closing := range map[string]func(*talk) error{
			"itself": func(c *talk) error { return c.Close() },
			"Runner": func(c *talk) error { return c.s.Close() },
		} {
			for _, busy := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, busy %v", name, busy), func(t *testing.T) {
					t.Parallel()
					is := is.New(t)
					s := on.newStage(t, fakeagent.Script{Turns: []fakeagent.Turn{{}, {Hang: true}}})
					c := s.talk(Request{})
					c.echoed("one")
					if busy {
						closed := make(chan error, 1)
						_, err := c.turn(t.Context(), TurnRequest{Prompt: "two", Trace: &Trace{Submitted: func() {
							go func() { closed <- closing(c) }()
						}}})
						is.True(errors.Is(err, ErrClosed))
						is.NoErr(<-closed)
					} else {
						is.NoErr(closing(c))
					}
					is.Equal(len(processes(c.seat.Start.Session)), 0)
					is.NoErr(c.Close())
					_, err := c.say(t.Context(), "three")
					is.True(errors.Is(err, ErrClosed))
				})
			}
		}
	})
}

// A host that starts again goes on where it was.
func TestResume(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, fakeagent.Script{})
		c := s.talk(Request{})
		c.echoed("one")
		c.echoed("again")
		is.NoErr(c.Close())
		for range 2 {
			c = s.resume(c.SessionID())
			c.echoed("again")
			is.NoErr(c.Close())
		}
		is.Equal(c.prompts(), []string{"one", "again", "again", "again"})

		_, err := s.Resume(t.Context(), uuid.New(), Request{WorkDir: s.work})
		is.True(errors.Is(err, fs.ErrNotExist))
		if on.rollout == "" { // else a session belongs to no directory
			other := s.work + "/other"
			is.NoErr(os.Mkdir(other, 0o700))
			_, err = s.Resume(t.Context(), c.SessionID(), Request{WorkDir: other})
			is.True(errors.Is(err, fs.ErrNotExist))
		}
		is.Equal(s.Stats().Boots, int64(3)) // and no agent was started for those
	})
}

// What a turn shows is its own, also when the hooks of the one before are late.
func TestConversationStreams(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, fakeagent.Script{Version: "2.1.330", Turns: []fakeagent.Turn{{}, {Text: "one\ntwo\nthree", ShowDelay: 50 * time.Millisecond, LateHooks: 300 * time.Millisecond}, {}}})
		var streamed strings.Builder
		c := s.talk(Request{OnDelta: func(d Delta) { streamed.WriteString(d.Text) }})
		for i := range 4 {
			streamed.Reset()
			res, err := c.say(t.Context(), fmt.Sprint("number ", i))
			is.NoErr(err)
			is.Equal(streamed.String(), res.Text)
		}
	})
}

// An error shows no prompt of the conversation.
func TestConversationIsDiscreet(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{Turns: []fakeagent.Turn{{Text: "well"}, {UnknownDialog: true}}})
	c := s.talk(Request{})
	_, err := c.say(t.Context(), "the first secret of three")
	is.NoErr(err)
	_, err = c.say(t.Context(), "the second secret of three")
	screen := as[*Error](t, err).Screen
	is.True(strings.Contains(screen, redact.Mask))
	is.True(!strings.Contains(screen, "secret"))
	as[*BlockedError](t, err)
	is.NoErr(c.Interrupt(t.Context())) // the dialog is gone
}

func TestConversationCallbackPanics(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{})
	c := s.talk(Request{})
	c.echoed("one")
	func() {
		defer func() { is.Equal(recover(), "stop") }()
		c.Turn(t.Context(), TurnRequest{Prompt: "two", Trace: &Trace{Submitted: func() { panic("stop") }}})
	}()
	_, err := c.say(t.Context(), "three")
	is.True(errors.Is(err, ErrEnded))
	is.Equal(len(processes(c.seat.Start.Session)), 0)
}

// What the host decides, it decides in every turn.
func TestConversationAsksForPermission(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, fakeagent.Script{Version: "2.1.330", Turns: []fakeagent.Turn{{Tool: &fakeagent.Tool{Ask: true}}}})
		asked := 0
		c := s.talk(Request{OnPermission: func(context.Context, PermissionRequest) (Decision, error) {
			asked++
			return Decision{Verdict: AllowOnce}, nil
		}})
		c.echoed("one")
		c.echoed("two")
		is.Equal(asked, 2)
	})
}

// A loop that is broken off interrupts its turn, and the next one can be had.
func TestConversationStreamIsBrokenOff(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{Version: "2.1.330", Turns: []fakeagent.Turn{
		{Text: strings.Repeat("line\n", 100), ShowDelay: 50 * time.Millisecond},
		{Text: "one\ntwo"},
	}})
	c := s.talk(Request{OnDelta: func(Delta) {}})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for d, err := range c.Stream(ctx, TurnRequest{Prompt: "hello"}) {
		is.NoErr(err)
		is.Equal(d.Text, "line\n")
		break
	}
	text := ""
	for d, err := range c.Stream(ctx, TurnRequest{Prompt: "again"}) {
		is.NoErr(err)
		if text += d.Text; d.Result != nil {
			is.Equal(d.Result.Text, text)
		}
	}
	is.Equal(text, "one\ntwo")
}

// When Runner.Close returns another Runner can have the session.
func TestSessionIsFreeBeforeCloseReturns(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{})
	c := s.talk(Request{})
	free := false
	leave := c.seat.leave // what Close waits for
	c.seat.leave = func() {
		leave()
		_, there := openConversations.Load(sessionKey{s.home, c.SessionID()})
		free = !there
	}
	is.NoErr(c.Close())
	is.True(free)
}
