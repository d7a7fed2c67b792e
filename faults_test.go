package tuiturn

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
	"github.com/tuiturn/tuiturn/tuiauth"
)

func TestPartialAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		turn fakeagent.Turn
		want error
	}{
		"truncated":                 {fakeagent.Turn{Text: "the beginning", StopReason: "max_tokens"}, ErrTruncated},
		"truncated, without an end": {fakeagent.Turn{Text: "the beginning", StopReason: "max_tokens", NoDuration: true}, ErrTruncated},
		"refused":                   {fakeagent.Turn{Text: "the beginning", StopReason: "refusal"}, ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachSetting(t, func(t *testing.T, on setting) {
				is := is.New(t)
				s := on.newStage(t, answers(c.turn))
				res, err := s.turn(t.Context(), Request{Prompt: "hello"})
				is.True(errors.Is(err, c.want))
				is.Equal(res.Text, "the beginning")
				is.Equal(res.StopReason, c.turn.StopReason)
			})
		})
	}
}

func TestServiceFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		failure   fakeagent.APIError
		status    int
		auth      bool
		retryable bool
	}{
		"401": {fakeagent.APIError{Status: 401}, 401, true, false},
		// 2.1.104 would go on for minutes.
		"401, retried":         {fakeagent.APIError{Status: 401, Retries: 10, RetryDelay: time.Minute}, 401, true, false},
		"400":                  {fakeagent.APIError{Status: 400}, 400, false, false},
		"429":                  {fakeagent.APIError{Status: 429}, 429, false, true},
		"529":                  {fakeagent.APIError{Status: 529}, 529, false, true},
		"529, retried in vain": {fakeagent.APIError{Status: 529, Retries: 3, RetryDelay: 50 * time.Millisecond}, 529, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachSetting(t, func(t *testing.T, on setting) {
				is := is.New(t)
				if on.rollout != "" && c.failure.RetryDelay > time.Second {
					t.Skip("the agent tells of no retries")
				}
				s := on.newStage(t, answers(fakeagent.Turn{APIError: &c.failure}))
				res, err := s.turn(t.Context(), Request{Prompt: "hello"})
				failure := as[*APIError](t, err)
				is.Equal(failure.Status, c.status)
				is.Equal(failure.Retryable(), c.retryable)
				is.True(failure.Message != "")
				is.Equal(errors.Is(err, ErrAuthentication), c.auth)
				is.True(inTime(res.Timings.Answer, 3*time.Second))
				is.Equal(res.Text, "") // the agent's error message is not an answer
			})
		})
	}
}

func TestServiceRecovers(t *testing.T) {
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, answers(fakeagent.Turn{
			Text:     "at last",
			APIError: &fakeagent.APIError{Status: 529, Retries: 3, RetryDelay: 100 * time.Millisecond, Recovers: true},
		}))
		res, err := s.turn(t.Context(), Request{Prompt: "hello"})
		is.NoErr(err)
		is.Equal(res.Text, "at last")
	})
}

// The agent will repeat its request after the deadline, so no answer can come.
func TestRetryAfterTheDeadline(t *testing.T) {
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, answers(fakeagent.Turn{
			APIError: &fakeagent.APIError{Status: 529, Retries: 1, RetryDelay: time.Hour},
		}))
		_, err := s.turn(t.Context(), Request{Prompt: "hello"})
		is.True(!errors.Is(err, context.DeadlineExceeded)) // it was not waited for
		is.Equal(as[*APIError](t, err).Status, 529)
		is.True(as[*APIError](t, err).Retryable())
		is.True(strings.Contains(err.Error(), "in 1h0m0s"))
	})
}

// Later versions than 2.1.158 show a repetition and don't record it.
func TestDeadlineWhileTheScreenTellsOfAFailure(t *testing.T) {
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, answers(fakeagent.Turn{
			APIError: &fakeagent.APIError{Status: 429, Retries: 1, RetryDelay: time.Hour, Unrecorded: true},
		}))
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		late := func() { time.AfterFunc(time.Second, func() { cancel(context.DeadlineExceeded) }) }
		_, err := s.turn(ctx, Request{Prompt: "hello", Trace: &Trace{Submitted: late}})
		is.True(errors.Is(err, context.DeadlineExceeded))
		failure := as[*APIError](t, err)
		is.Equal(failure.Message, "429 · retrying in 1s · attempt 1/10")
		is.Equal(failure.Attempts, 1)
		is.True(failure.Retryable())
	})
}

func TestDeadlineWhileTheServiceFails(t *testing.T) {
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, answers(fakeagent.Turn{
			APIError: &fakeagent.APIError{Status: 529, Retries: 10, RetryDelay: patience / 2},
		}))
		// Counted from the receipt: a busy machine may take seconds to start.
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		late := func() { time.AfterFunc(time.Second, func() { cancel(context.DeadlineExceeded) }) }
		_, err := s.turn(ctx, Request{Prompt: "hello", Trace: &Trace{Submitted: late}})
		is.True(errors.Is(err, context.DeadlineExceeded))
		is.Equal(as[*APIError](t, err).Status, 529)
		is.Equal(as[*APIError](t, err).Attempts, 1)
	})
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]fakeagent.Script{
		"hangs":         answers(fakeagent.Turn{Hang: true}),
		"never starts":  {BootDelay: time.Minute},
		"takes no key":  {DeafDelay: time.Minute},
		"takes nothing": answers(fakeagent.Turn{SwallowEnters: 1000}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachSetting(t, func(t *testing.T, on setting) {
				is := is.New(t)
				s := on.newStage(t, script)
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				res, err := s.turn(ctx, Request{Prompt: "hello"})
				is.True(errors.Is(err, context.DeadlineExceeded))
				is.True(inTime(res.Timings.Total, 5*time.Second))
				checkTimings(t, res.Timings)
				is.True(inTime(res.Timings.Teardown, 3*time.Second))
			})
		})
	}
}

// An agent that waits for a person is reported at once, and nothing is chosen.
func TestBlocked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		turn fakeagent.Turn
		want BlockedError
	}{
		"permission": {
			fakeagent.Turn{Tool: &fakeagent.Tool{Narration: "I will look", Command: "touch pwned", Ask: true}},
			BlockedError{"permission", []string{"Yes", "Yes, and don't ask again for this command", "No"}, 0},
		},
		"a command that speaks of other dialogs": {
			fakeagent.Turn{Tool: &fakeagent.Tool{Command: "echo Sign in: trust the theme", Ask: true}},
			BlockedError{"permission", []string{"Yes", "Yes, and don't ask again for this command", "No"}, 0},
		},
		"unknown": {
			fakeagent.Turn{UnknownDialog: true},
			BlockedError{"question", []string{"Fine", "Wet"}, 0},
		},
		"a question that speaks of a login": {
			fakeagent.Turn{UnknownDialog: true, Question: "Should one sign in, or trust the theme? Settings error!"},
			BlockedError{"question", []string{"Fine", "Wet"}, 0},
		},
		"unknown, without options": {
			fakeagent.Turn{UnknownDialog: true, NoOptions: true},
			BlockedError{"unknown", nil, -1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachSetting(t, func(t *testing.T, on setting) {
				is := is.New(t)
				s := on.newStage(t, answers(c.turn))
				res, err := s.turn(t.Context(), Request{Prompt: "hello"})
				is.Equal(*as[*BlockedError](t, err), c.want)
				is.True(!errors.Is(err, ErrAuthentication))
				most := 1500 * time.Millisecond
				if c.want.Kind == "unknown" {
					most += time.Second
				}
				is.True(inTime(res.Timings.Submit+res.Timings.Answer, most))
				is.True(!strings.Contains(s.transcript(res), "tool_result")) // nobody chose
			})
		})
	}
}

// astray is claude with another home than the one that was prepared.
type astray struct {
	Claude
	home string
}

func (a astray) agent() agent.Agent {
	return launcher{a.Claude.agent(), func(l *agent.Launch) { l.Env = append(l.Env, "HOME="+a.home) }}
}

// A launcher is an agent whose launch is changed, or looked at.
type launcher struct {
	agent.Agent
	with func(*agent.Launch)
}

func (l launcher) Launch(s *agent.Start) (agent.Launch, error) {
	launch, err := l.Agent.Launch(s)
	if err == nil {
		l.with(&launch)
	}
	return launch, err
}

// An agent too old for what it is started with ends at once. The error names both.
func TestAgentIsTooOld(t *testing.T) {
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, fakeagent.Script{})
		s.Agent = newer{s.Agent.(Claude)}
		_, err := s.turn(t.Context(), Request{Prompt: "hello"})
		is.True(errors.Is(err, errors.ErrUnsupported))
		is.Equal(as[*ExitError](t, err).Status.ExitStatus(), 1)
		for _, word := range []string{"claude 0.0.0 does not know --of-tomorrow", "install a newer one", "2.1.104"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%v has no %q", err, word)
			}
		}
	})
}

// newer is claude with an argument that a later version has.
type newer struct{ Claude }

func (a newer) agent() agent.Agent {
	return launcher{a.Claude.agent(), func(l *agent.Launch) { l.Args = append(l.Args, "--of-tomorrow") }}
}

// The agent asks before it takes a prompt, because its home was not prepared.
func TestBlockedAtBoot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		seed   string // of .claude.json
		script fakeagent.Script
		want   BlockedError
	}{
		"onboarding": {
			`{}`, fakeagent.Script{},
			BlockedError{"onboarding", []string{"Auto (match terminal)", "Dark mode", "Light mode"}, 1},
		},
		"trust": {
			`{"hasCompletedOnboarding":true}`, fakeagent.Script{},
			BlockedError{"trust", []string{"Yes, I trust this folder", "No, exit"}, 0},
		},
		"trust, 2.1.330": {
			`{"hasCompletedOnboarding":true}`, fakeagent.Script{TrustNo: true, AltScreen: true},
			BlockedError{"trust", []string{"No, exit", "Yes, I trust this folder"}, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
				is := is.New(t)
				s := newStage(t, kind, c.script)
				elsewhere := filepath.Join(s.work, "home")
				is.NoErr(os.Mkdir(elsewhere, 0o700))
				config := filepath.Join(elsewhere, ".claude.json")
				is.NoErr(os.WriteFile(config, []byte(c.seed), 0o600))
				s.Agent = astray{s.Agent.(Claude), elsewhere}

				res, err := s.turn(t.Context(), Request{Prompt: "hello"})
				is.Equal(*as[*BlockedError](t, err), c.want)
				is.True(inTime(res.Timings.Boot, 6*time.Second)) // trust is asked for three times
				checkTimings(t, res.Timings)
				after, err := os.ReadFile(config)
				is.NoErr(err)
				is.Equal(string(after), c.seed) // nothing was agreed to
			})
		})
	}
}

// A dialog that Escape ends the agent in is reported and not declined, and one
// that has turned out to be of that kind is named.
func TestDialogsThatEscapeEndsTheAgentIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script fakeagent.Script
		want   BlockedError
		says   []string
		exited bool
	}{
		"settings": {
			fakeagent.Script{SettingsFault: []string{"/home/settings.json", " └ permissions", "   └ defaultMode: Invalid value."}},
			BlockedError{"settings", []string{"Exit and fix manually", "Continue without these settings"}, 0},
			[]string{"correct it: /home/settings.json: permissions: defaultMode: Invalid value."}, false,
		},
		"an offer": {
			fakeagent.Script{Offer: fakeagent.AtBoot, OfferEnds: true},
			BlockedError{"menu", []string{"Maybe later", "Now"}, 0},
			[]string{"declined with Escape", "status 1"}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
				is := is.New(t)
				s := newStage(t, kind, c.script)
				_, err := s.turn(t.Context(), Request{Prompt: "hello"})
				is.Equal(*as[*BlockedError](t, err), c.want)
				_, exited := errors.AsType[*ExitError](err)
				if exited != c.exited {
					t.Fatalf("exited: %v: %v", exited, err)
				}
				for _, words := range c.says {
					is.True(strings.Contains(err.Error(), words)) // says
				}
			})
		})
	}
}

// Another agent in the same home wrote back what it had read before the
// directory was trusted.
func TestTrustUndone(t *testing.T) {
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, fakeagent.Script{})
		undo := func() {
			is.NoErr(os.WriteFile(filepath.Join(s.home, ".claude.json"), []byte(`{"hasCompletedOnboarding":true}`), 0o600))
		}
		res, err := s.turn(t.Context(), Request{Prompt: "hello", Trace: &Trace{Booting: undo}})
		is.NoErr(err)
		is.Equal(res.Text, "You said: hello")
		checkTimings(t, res.Timings)
	})
}

// The real home of somebody who never used the agent, or never logged in.
func TestRealHome(t *testing.T) {
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, fakeagent.Script{})
		s.Home, s.Token = tuiauth.Home{Dir: s.home, RealHome: s.home, Mode: tuiauth.Real}, ""
		is.NoErr(os.Mkdir(s.home, 0o700))
		_, err := s.turn(t.Context(), Request{Prompt: "hello"})
		is.Equal(as[*BlockedError](t, err).Kind, "onboarding")

		is.NoErr(os.WriteFile(filepath.Join(s.home, ".claude.json"), []byte(`{"hasCompletedOnboarding":true}`), 0o600))
		_, err = s.turn(t.Context(), Request{Prompt: "hello"})
		is.True(errors.Is(err, ErrAuthentication))
	})
}

func TestAgentEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		boot, turn *fakeagent.End
		status     syscall.WaitStatus
	}{
		"at boot":    {boot: &fakeagent.End{At: fakeagent.AtBoot, Status: 3}, status: 3 << 8},
		"at ready":   {boot: &fakeagent.End{At: fakeagent.AtReady, Status: 4}, status: 4 << 8},
		"at submit":  {turn: &fakeagent.End{At: fakeagent.AtSubmit, Status: 5}, status: 5 << 8},
		"at receipt": {turn: &fakeagent.End{At: fakeagent.AtReceipt, Status: 0}},
		"by a crash": {turn: &fakeagent.End{At: fakeagent.AtHalf, Signal: int(syscall.SIGSEGV)}, status: syscall.WaitStatus(syscall.SIGSEGV)},
		"by a kill":  {turn: &fakeagent.End{At: fakeagent.AtReceipt, Signal: int(syscall.SIGKILL)}, status: syscall.WaitStatus(syscall.SIGKILL)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachSetting(t, func(t *testing.T, on setting) {
				is := is.New(t)
				s := on.newStage(t, fakeagent.Script{End: c.boot, Turns: []fakeagent.Turn{{End: c.turn}}})
				res, err := s.turn(t.Context(), Request{Prompt: "hello"})
				got := as[*ExitError](t, err).Status
				is.Equal(got.ExitStatus(), c.status.ExitStatus())
				is.Equal(got.Signaled(), c.status.Signaled())
				is.True(!got.Signaled() || got.Signal() == c.status.Signal())
				is.True(inTime(res.Timings.Total, 3*time.Second))
			})
		})
	}
}

// The answer counts although the agent ended before it said that it was whole,
// and although the terminal knew of the end before the transcript was read.
func TestAgentEndsAfterItsAnswer(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, answers(fakeagent.Turn{End: &fakeagent.End{At: fakeagent.AtAnswer, Status: 1}}))
		for range 3 {
			res, err := s.turn(t.Context(), Request{Prompt: "hello"})
			is.NoErr(err)
			is.Equal(res.Text, "You said: hello")
		}
	})
}

// Nothing that the agent started survives the turn, however it resists.
func TestStubbornAgents(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what belongs to a program")
	}
	children := []fakeagent.Child{
		fakeagent.ChildPlain, fakeagent.ChildStubborn, fakeagent.ChildSession, fakeagent.ChildBackground,
	}
	for name, script := range map[string]fakeagent.Script{
		"the agent":              {IgnoreHangup: true, IgnoreTerm: true},
		"children from the boot": {Children: children},
		"children of the turn":   answers(fakeagent.Turn{Children: children}),
		"all of it": {
			IgnoreHangup: true, IgnoreTerm: true, Children: children,
			Turns: []fakeagent.Turn{{Children: children}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachSetting(t, func(t *testing.T, on setting) {
				is := is.New(t)
				root, err := os.MkdirTemp("", "tt")
				is.NoErr(err)
				defer os.RemoveAll(root)
				script := script
				script.ChildLog = filepath.Join(root, "children")
				s := on.newStage(t, script)
				res, err := s.turn(t.Context(), Request{Prompt: "hello"})
				is.NoErr(err)
				is.Equal(res.Text, "You said: hello")

				log, _ := os.ReadFile(script.ChildLog)
				lines := strings.Fields(string(log))
				is.Equal(len(lines), 2*(len(script.Children)+len(inTurn(script))))
				for i := 1; i < len(lines); i += 2 {
					pid, err := strconv.Atoi(lines[i])
					is.NoErr(err)
					if lives(pid) {
						t.Errorf("the %s child %d lives", lines[i-1], pid)
					}
				}
			})
		})
	}
}

// lives tells whether a process exists and is no zombie, which only its parent
// can put to rest.
func lives(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

// Every fault of the operator's is one error, at once, that names the thing and
// the remedy.
func TestBadInput(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, path, text string, mode os.FileMode) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	agent := func(path string) func(*testing.T, *stage, *Request) { // below the working directory
		return func(_ *testing.T, s *stage, _ *Request) { s.Agent = Claude{Path: filepath.Join(s.work, path)} }
	}
	for name, c := range map[string]struct {
		spoil func(*testing.T, *stage, *Request)
		is    error    // nil: any
		says  []string // what the message must contain
	}{
		"empty prompt":      {func(_ *testing.T, _ *stage, req *Request) { req.Prompt = "" }, ErrEmptyPrompt, []string{"prompt"}},
		"blank prompt":      {func(_ *testing.T, _ *stage, req *Request) { req.Prompt = " \n\t\u3000" }, ErrEmptyPrompt, nil},
		"invisible prompt":  {func(_ *testing.T, _ *stage, req *Request) { req.Prompt = "\u200b\ufe0f\u00ad" }, ErrEmptyPrompt, nil},
		"NUL":               {func(_ *testing.T, _ *stage, req *Request) { req.Prompt = "a\x00b" }, ErrInvalidPrompt, []string{"NUL", "remove"}},
		"end of paste":      {func(_ *testing.T, _ *stage, req *Request) { req.Prompt = "a\x1b[201~b" }, ErrInvalidPrompt, []string{"ESC [ 201 ~", "remove"}},
		"not UTF-8":         {func(_ *testing.T, _ *stage, req *Request) { req.Prompt = "a\xffb" }, ErrInvalidPrompt, []string{"UTF-8", "convert"}},
		"no workdir":        {func(_ *testing.T, s *stage, req *Request) { req.WorkDir = s.work + "/none" }, fs.ErrNotExist, []string{"/work/none", "Request.WorkDir"}},
		"workdir is a file": {func(t *testing.T, s *stage, req *Request) { req.WorkDir = write(t, s.work+"/file", "", 0o600) }, nil, []string{"/work/file", "directory"}},
		"no home":           {func(_ *testing.T, s *stage, _ *Request) { s.Home = tuiauth.Home{} }, nil, []string{"Runner.Home"}},
		"home below a file": {func(t *testing.T, s *stage, _ *Request) { s.Home.Dir = write(t, s.work+"/file", "", 0o600) + "/home" }, syscall.ENOTDIR, []string{"/work/file"}},
		"malformed .claude.json": {func(t *testing.T, s *stage, _ *Request) { write(t, s.home+"/.claude.json", `{"a":`, 0o600) },
			tuiauth.ErrMalformed, []string{"/home/.claude.json"}},
		"no token":             {func(_ *testing.T, s *stage, _ *Request) { s.Token = "" }, nil, []string{"token", "empty"}},
		"token with a newline": {func(_ *testing.T, s *stage, _ *Request) { s.Token = dummyToken + "\n" }, nil, []string{"token", "line break"}},
		"terminal":             {func(_ *testing.T, s *stage, _ *Request) { s.Terminal = "screen" }, nil, []string{`"screen"`, `"tmux"`, `"pty"`}},
		"no TempDir":           {func(_ *testing.T, s *stage, _ *Request) { s.TempDir = s.work + "/none" }, fs.ErrNotExist, []string{"/work/none", "Runner.TempDir"}},
		"no agent":             {agent("none"), fs.ErrNotExist, []string{"/work/none", "Claude.Path"}},
		"no agent in PATH":     {func(_ *testing.T, s *stage, _ *Request) { s.Agent, s.Environ = nil, []string{"PATH=" + s.work} }, fs.ErrNotExist, []string{`"claude"`, "PATH", "install"}},
		"agent is a directory": {agent("."), nil, []string{"/work", "directory", "Claude.Path"}},
		"agent not executable": {func(t *testing.T, s *stage, req *Request) {
			write(t, s.work+"/agent", "#!/bin/sh\n", 0o600)
			agent("agent")(t, s, req)
		}, fs.ErrPermission, []string{"/work/agent", "Claude.Path"}},
		"agent's interpreter missing": {func(t *testing.T, s *stage, req *Request) {
			write(t, s.work+"/agent", "#!/no/such/node\n", 0o700)
			agent("agent")(t, s, req)
		}, fs.ErrNotExist, []string{"/work/agent", "/no/such/node", "install"}},
		"agent for another machine": {func(t *testing.T, s *stage, req *Request) {
			write(t, s.work+"/agent", "\x7fELF\x02\x01\x01", 0o700)
			agent("agent")(t, s, req)
		}, nil, []string{"agent"}},
		"variable without a value":   {func(_ *testing.T, s *stage, _ *Request) { s.Env = append(s.Env, "A B") }, nil, []string{"Runner.Env[2]", "KEY=VALUE"}},
		"an editor":                  {func(_ *testing.T, s *stage, _ *Request) { s.Env = append(s.Env, "EDITOR=vi") }, nil, []string{"Runner.Env[2]", "EDITOR", "remove"}},
		"an editor of the request's": {func(_ *testing.T, _ *stage, r *Request) { r.Env = []string{"VISUAL=vi"} }, nil, []string{"Request.Env[0]", "VISUAL", "remove"}},
		"variable with a NUL":        {func(_ *testing.T, s *stage, _ *Request) { s.Env = append(s.Env, "A=b\x00c") }, nil, []string{"Runner.Env[2]", "NUL"}},
		"closed":                     {func(_ *testing.T, s *stage, _ *Request) { s.Close() }, ErrClosed, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
				is := is.New(t)
				s := newStage(t, kind, fakeagent.Script{})
				req := Request{Prompt: "hello"}
				c.spoil(t, s, &req)
				began := time.Now()
				_, err := s.turn(t.Context(), req)
				took := time.Since(began)
				is.True(err != nil)
				if _, ran := errors.AsType[*ExitError](err); !ran {
					is.True(inTime(took, time.Second)) // at once
				}
				is.True(inTime(took, 5*time.Second))
				is.True(c.is == nil || errors.Is(err, c.is))
				for _, text := range c.says {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("the error does not say %q: %v", text, err)
					}
				}
				t.Log(err)
			})
		})
	}
}

func TestMalformedHomeStaysAsItWas(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{})
	is.NoErr(os.Mkdir(s.home, 0o700))
	path := filepath.Join(s.home, ".claude.json")
	is.NoErr(os.WriteFile(path, []byte(`{"a":`), 0o600))
	_, err := s.turn(t.Context(), Request{Prompt: "hello"})
	is.True(errors.Is(err, tuiauth.ErrMalformed))
	after, err := os.ReadFile(path)
	is.NoErr(err)
	is.Equal(string(after), `{"a":`)
}

func TestZeroRunner(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var r Runner
	res, err := r.Turn(t.Context(), Request{Prompt: "hello"})
	is.True(res != nil)
	is.True(strings.Contains(as[*Error](t, err).Error(), "Runner.Home"))
	is.NoErr(r.Close())
}

// A host without tmux.
func TestNoTmux(t *testing.T) {
	is := is.New(t)
	t.Setenv("PATH", t.TempDir())
	began := time.Now()
	_, err := newStage(t, Tmux, fakeagent.Script{}).turn(t.Context(), Request{Prompt: "hello"})
	is.True(errors.Is(err, exec.ErrNotFound))
	is.True(strings.Contains(err.Error(), "install tmux"))
	is.True(inTime(time.Since(began), time.Second))

	res, err := newStage(t, Auto, fakeagent.Script{}).turn(t.Context(), Request{Prompt: "hello"})
	is.NoErr(err)
	is.Equal(res.Terminal, Pty)
}

func TestSocketPathTooLong(t *testing.T) {
	t.Parallel()
	tmuxtest.Require(t)
	is := is.New(t)
	s := newStage(t, Tmux, fakeagent.Script{})
	temp := s.TempDir
	s.TempDir = filepath.Join(temp, strings.Repeat("long", 25))
	is.NoErr(os.Mkdir(s.TempDir, 0o700))
	t.Cleanup(func() { s.Close(); os.Remove(s.TempDir) })
	_, err := s.turn(t.Context(), Request{Prompt: "hello"})
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "shorter"))
}

func inTurn(s fakeagent.Script) []fakeagent.Child {
	if len(s.Turns) == 0 {
		return nil
	}
	return s.Turns[0].Children
}

// A process that somebody has stopped says nothing; the turn does not wait for
// its deadline. (tmux continues the programs in its panes by itself.)
func TestAgentIsStopped(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("whether a process is stopped is known on Linux only")
	}
	for name, script := range map[string]fakeagent.Script{
		"while it starts": {BootDelay: time.Minute},
		"while it works":  answers(fakeagent.Turn{Hang: true}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			s := newStage(t, Pty, script)
			var stopped time.Time
			stop := func() bool {
				pids := carrying("HOME=" + s.home + "\x00")
				for _, pid := range pids {
					n, err := strconv.Atoi(pid)
					is.NoErr(err)
					stopped = time.Now()
					is.NoErr(syscall.Kill(n, syscall.SIGSTOP))
				}
				return len(pids) > 0
			}
			req := Request{Prompt: "hello"}
			var stopping sync.WaitGroup
			if script.BootDelay == 0 {
				req.Trace = &Trace{Submitted: func() { is.True(stop()) }}
			} else {
				stopping.Go(func() { is.True(eventually(stop)) })
			}
			res, err := s.turn(t.Context(), req)
			stopping.Wait()
			if !errors.Is(err, ErrStopped) {
				t.Errorf("got %v, want ErrStopped", err)
			}
			is.True(inTime(time.Since(stopped)-res.Timings.Teardown, 1500*time.Millisecond))
		})
	}
}
