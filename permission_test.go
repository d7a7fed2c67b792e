package tuiturn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/drive"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/internal/hook"
	"github.com/tuiturn/tuiturn/internal/proc"
)

// asking is a turn in which the agent asks about each of these tool uses.
func asking(tools ...fakeagent.Tool) fakeagent.Script {
	for i := range tools {
		tools[i].Ask = true
		if tools[i].Command == "" {
			tools[i].Command = fmt.Sprintf("touch file%d", i)
		}
		tools[i].Result = "ran " + tools[i].Command
	}
	return answers(fakeagent.Turn{Text: "done", Tool: &tools[0], More: tools[1:]})
}

// A host records what it is asked and decides in order; the last decision
// repeats.
type permitter struct {
	decisions []Decision
	mu        sync.Mutex
	asked     []PermissionRequest
}

func (p *permitter) decide(_ context.Context, req PermissionRequest) (Decision, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, req)
	return p.decisions[min(len(p.asked), len(p.decisions))-1], nil
}

func (p *permitter) commands() (commands []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, req := range p.asked {
		var input struct{ Command string }
		json.Unmarshal(req.Input, &input)
		commands = append(commands, req.Tool+" "+input.Command)
	}
	return commands
}

// results are the results of the turn's tool uses, in order, without those of
// uses that were refused.
func (s *stage) results(res *Result) (ran, refused []string) {
	for line := range strings.Lines(s.transcript(res)) {
		var entry struct {
			Message struct {
				Content json.RawMessage
			}
		}
		json.Unmarshal([]byte(line), &entry)
		var blocks []struct {
			Type    string
			IsError bool `json:"is_error"`
			Content string
		}
		json.Unmarshal(entry.Message.Content, &blocks)
		for _, b := range blocks {
			switch {
			case b.Type != "tool_result":
			case b.IsError:
				refused = append(refused, b.Content)
			default:
				ran = append(ran, b.Content)
			}
		}
	}
	return ran, refused
}

var (
	allow = Decision{Verdict: AllowOnce}
	deny  = Decision{Verdict: Deny}
)

func TestPermission(t *testing.T) {
	t.Parallel()
	const declined = "The user doesn't want to proceed with this tool use. The tool use was rejected." // the fake agent's
	tell := func(message string) Decision { return Decision{Deny, message} }
	type tool = fakeagent.Tool
	for name, c := range map[string]struct {
		tools     []tool
		decisions []Decision
		asked     []string // "Bash COMMAND"
		ran       []string
		told      []string
		err       error
	}{
		"allowed": {
			[]tool{{}}, []Decision{allow}, []string{"Bash touch file0"}, []string{"ran touch file0"}, nil, nil,
		},
		"allowed, where it is not highlighted": {
			[]tool{{Highlighted: 2}}, []Decision{allow}, []string{"Bash touch file0"}, []string{"ran touch file0"}, nil, nil,
		},
		"allowed, in another order": {
			[]tool{{Options: []string{"No", "Yes, allow all during this session", "Yes, and don't ask again", "Yes"}, Highlighted: 1}},
			[]Decision{allow}, []string{"Bash touch file0"}, []string{"ran touch file0"}, nil, nil,
		},
		"denied": {
			[]tool{{}, {}}, []Decision{deny}, []string{"Bash touch file0"}, nil, []string{declined, declined}, ErrInterrupted,
		},
		"denied, in another order": {
			[]tool{{Options: []string{"No", "Yes", "Yes, always"}, Highlighted: 2}}, []Decision{deny}, []string{"Bash touch file0"}, nil, []string{declined}, ErrInterrupted,
		},
		"denied, with no such option": {
			[]tool{{Options: []string{"Yes", "Yes, always", "Never"}}}, []Decision{deny}, []string{"Bash touch file0"}, nil, []string{declined}, ErrInterrupted,
		},
		"denied with a message": {
			[]tool{{}}, []Decision{tell("1. use mv\n2. not\x20touch: é 漢字")}, []string{"Bash touch file0"}, nil,
			[]string{saidNo + " To tell you how to proceed, the user said:\n1. use mv\n2. not touch: é 漢字"}, nil,
		},
		"one of each": {
			[]tool{{}, {}, {}}, []Decision{allow, tell("no"), allow},
			[]string{"Bash touch file0", "Bash touch file1", "Bash touch file2"},
			[]string{"ran touch file0", "ran touch file2"}, []string{saidNo + " To tell you how to proceed, the user said:\nno"}, nil,
		},
		"the same twice": {
			[]tool{{Command: "ls"}, {Command: "ls"}}, []Decision{allow, deny}, []string{"Bash ls", "Bash ls"}, []string{"ran ls"}, []string{declined}, ErrInterrupted,
		},
		"one that contains the other": {
			[]tool{{Command: "rm -r a"}, {Command: "rm -r a/b"}}, []Decision{allow}, []string{"Bash rm -r a", "Bash rm -r a/b"}, []string{"ran rm -r a", "ran rm -r a/b"}, nil, nil,
		},
		"a command that draws a menu": {
			[]tool{{Command: "cat <<.\n ❯ 1. Yes\n   2. No\n\n Do you want to proceed?\n1. No\n2. No\n."}}, []Decision{allow},
			[]string{"Bash cat <<.\n ❯ 1. Yes\n   2. No\n\n Do you want to proceed?\n1. No\n2. No\n."},
			[]string{"ran cat <<.\n ❯ 1. Yes\n   2. No\n\n Do you want to proceed?\n1. No\n2. No\n."}, nil, nil,
		},
		"a command that fills the screen": {
			[]tool{{Command: strings.Repeat("echo a line of it\n", 60)}}, []Decision{allow},
			[]string{"Bash " + strings.Repeat("echo a line of it\n", 60)}, []string{"ran " + strings.Repeat("echo a line of it\n", 60)}, nil, nil,
		},
		"no plain yes": {
			[]tool{{Options: []string{"Yes, proceed", "Yes, and don't ask again", "No"}}}, []Decision{allow}, []string{"Bash touch file0"}, nil, nil, ErrCannotAllow,
		},
		"two of them": {
			[]tool{{Options: []string{"Yes", "Yes", "No"}}}, []Decision{allow}, []string{"Bash touch file0"}, nil, nil, ErrCannotAllow,
		},
		"yes without a no": {
			[]tool{{Options: []string{"Yes", "Later"}}}, []Decision{allow}, []string{"Bash touch file0"}, nil, nil, ErrCannotAllow,
		},
		"denied with a long message": {
			[]tool{{}}, []Decision{tell(strings.Repeat("é ", drive.MaxMessage/3))}, []string{"Bash touch file0"}, nil,
			[]string{saidNo + " To tell you how to proceed, the user said:\n" + strings.TrimSpace(strings.Repeat("é ", drive.MaxMessage/3))}, nil,
		},
		"a command that quotes the next one": {
			[]tool{{Command: "touch evil # printf ok > harmless.txt"}, {Command: "printf ok > harmless.txt"}}, []Decision{allow, tell("no")},
			[]string{"Bash touch evil # printf ok > harmless.txt", "Bash printf ok > harmless.txt"},
			[]string{"ran touch evil # printf ok > harmless.txt"}, []string{saidNo + " To tell you how to proceed, the user said:\nno"}, nil,
		},
		"not reported, allowed": {
			[]tool{{Unreported: true}}, []Decision{allow}, []string{" "}, nil, nil, ErrCannotAllow,
		},
		"not reported, denied": {
			[]tool{{Unreported: true}}, []Decision{deny}, []string{" "}, nil, []string{declined}, ErrInterrupted,
		},
		"not reported, denied with a message": {
			[]tool{{Unreported: true}}, []Decision{tell("no")}, []string{" "}, nil, nil, ErrCannotTell,
		},
		"a message with a key in it": {
			[]tool{{}}, []Decision{tell("a\x1b[A\rb")}, []string{"Bash touch file0"}, nil, nil, ErrCannotTell,
		},
		"a message that is too long": {
			[]tool{{}}, []Decision{tell(strings.Repeat("a", drive.MaxMessage+1))}, []string{"Bash touch file0"}, nil, nil, ErrCannotTell,
		},
		"no decision": {
			[]tool{{}}, []Decision{{}}, []string{"Bash touch file0"}, nil, nil, ErrUndecided,
		},
		"a decision that there is not": {
			[]tool{{}}, []Decision{{Verdict: 7}}, []string{"Bash touch file0"}, nil, nil, ErrUndecided,
		},
		"allowed with a message": {
			[]tool{{}}, []Decision{{AllowOnce, "but"}}, []string{"Bash touch file0"}, nil, nil, ErrUndecided,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachSetting(t, func(t *testing.T, on setting) {
				is := is.New(t)
				s := on.newStage(t, asking(slices.Clone(c.tools)...))
				p := permitter{decisions: c.decisions}
				res, err := s.turn(t.Context(), Request{Prompt: "hello", OnPermission: p.decide})
				if !errors.Is(err, c.err) {
					t.Fatalf("%v", err)
				}
				is.Equal(p.commands(), c.asked)
				ran, told := s.results(res)
				is.Equal(ran, c.ran)
				is.Equal(told, c.told)
				switch c.err {
				case nil:
					is.Equal(res.Text, "done")
				case ErrInterrupted:
				default:
					is.Equal(as[*BlockedError](t, err).Kind, "permission")
					is.Equal(Outcome(err), "blocked")
				}
			})
		})
	}
}

// An agent that works has not read the Enter that would be pressed again, and
// reads it when the question stands there.
func TestEnterAgainAnswersNoQuestion(t *testing.T) {
	t.Parallel()
	if _, ok := proc.WorkTime(os.Getpid()); !ok {
		t.Skip("this system does not tell how long a process has worked")
	}
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, answers(fakeagent.Turn{
			Tool: &fakeagent.Tool{Ask: true, Stall: 1200 * time.Millisecond}, WriteDelay: 1600 * time.Millisecond,
		}))
		res, err := s.turn(t.Context(), Request{Prompt: "hello"})
		is.Equal(as[*BlockedError](t, err).Kind, "permission")
		ran, _ := s.results(res)
		is.Equal(len(ran), 0)
	})
}

func TestPermissionRequest(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		const secret = "the-secret-of-the-host-1234"
		s := on.newStage(t, asking(fakeagent.Tool{
			Command: "echo " + secret, Options: []string{"Yes", "Yes, and always for " + secret, "No"}, Highlighted: 1,
		}))
		s.Env = append(s.Env, "API_KEY="+secret)
		p := permitter{decisions: []Decision{{}}}
		_, err := s.turn(t.Context(), Request{Prompt: "hello", OnPermission: p.decide})
		is.True(errors.Is(err, ErrUndecided))
		is.Equal(len(p.asked), 1)
		req := p.asked[0]
		is.Equal(req.Tool, "Bash")
		is.Equal(string(req.Input), `{"command":"echo `+secret+`"}`)
		is.Equal(req.Options, []string{"Yes", "Yes, and always for [redacted]", "No"})
		is.Equal(req.Highlighted, 1)
		is.True(strings.Contains(req.Screen, "Do you want to proceed?"))
		is.True(!strings.Contains(req.Screen+err.Error()+err.(*Error).Screen, secret))
	})
}

// Whatever keeps the host from deciding, nothing is allowed.
func TestPermissionUndecided(t *testing.T) {
	t.Parallel()
	failure := errors.New("the host's own")
	for name, c := range map[string]struct {
		decide func(context.Context, context.CancelFunc) (Decision, error)
		err    error
	}{
		"an error":               {func(context.Context, context.CancelFunc) (Decision, error) { return allow, failure }, failure},
		"the error of a process": {func(context.Context, context.CancelFunc) (Decision, error) { return allow, os.ErrProcessDone }, os.ErrProcessDone},
		"its goroutine ends": {func(context.Context, context.CancelFunc) (Decision, error) {
			runtime.Goexit()
			return allow, nil
		}, ErrUndecided},
		"the turn's context ends": {func(ctx context.Context, cancel context.CancelFunc) (Decision, error) {
			cancel()
			<-ctx.Done()
			return allow, nil
		}, context.Canceled},
		"the turn's context ends, unheeded": {func(ctx context.Context, cancel context.CancelFunc) (Decision, error) {
			cancel()
			time.Sleep(500 * time.Millisecond)
			return allow, nil
		}, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
				is := is.New(t)
				s := newStage(t, kind, asking(fakeagent.Tool{}))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				asked := time.Time{}
				res, err := s.turn(ctx, Request{Prompt: "hello", OnPermission: func(ctx context.Context, _ PermissionRequest) (Decision, error) {
					asked = time.Now()
					return c.decide(ctx, cancel)
				}})
				is.True(errors.Is(err, c.err))
				is.True(inTime(time.Since(asked), 2*time.Second))
				ran, refused := s.results(res)
				is.Equal(len(ran)+len(refused), 0) // nobody chose
			})
		})
	}
}

// A panic reaches the caller of Turn, after the teardown.
func TestPermissionPanics(t *testing.T) {
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, asking(fakeagent.Tool{}))
		func() {
			defer func() { is.Equal(recover(), "no more") }()
			s.Turn(t.Context(), Request{Prompt: "hello", WorkDir: s.work, OnPermission: func(context.Context, PermissionRequest) (Decision, error) {
				panic("no more")
			}})
		}()
		// The stage looks for what is left.
	})
}

// The agent ends while the host thinks.
func TestPermissionAgentEnds(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the agent is found in /proc")
	}
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, asking(fakeagent.Tool{}))
		told := make(chan bool)
		res, err := s.turn(t.Context(), Request{Prompt: "hello", OnPermission: func(ctx context.Context, req PermissionRequest) (Decision, error) {
			for _, s := range carrying(hook.FileVar + "=" + s.TempDir) {
				pid, _ := strconv.Atoi(s)
				syscall.Kill(pid, syscall.SIGKILL)
			}
			<-ctx.Done()
			close(told)
			return allow, nil
		}})
		is.True(as[*ExitError](t, err).Status.Signaled())
		is.True(inTime(res.Timings.Answer, 3*time.Second))
		<-told
	})
}

// The question is taken back when the host has been asked, and another one comes: a
// decision about the first is none about the second.
func TestPermissionQuestionChanges(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(context.Context){
		"while the host thinks":    func(ctx context.Context) { <-ctx.Done() },
		"and the host is not told": func(context.Context) { time.Sleep(700 * time.Millisecond) },
		"as the host decides":      func(context.Context) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
				is := is.New(t)
				gone := filepath.Join(t.TempDir(), "gone")
				s := newStage(t, kind, asking(fakeagent.Tool{Command: "first", Withdraw: gone}, fakeagent.Tool{Command: "second"}))
				p := permitter{decisions: []Decision{allow, deny}}
				res, err := s.turn(t.Context(), Request{Prompt: "hello", OnPermission: func(ctx context.Context, req PermissionRequest) (Decision, error) {
					d, err := p.decide(ctx, req)
					if strings.Contains(string(req.Input), "first") {
						is.NoErr(os.WriteFile(gone, nil, 0o600))
						wait(ctx)
					}
					return d, err
				}})
				is.True(p.commands()[0] == "Bash first")
				ran, _ := s.results(res)
				for _, r := range ran {
					is.Equal(r, "ran first") // and never the second
				}
				is.True(errors.Is(err, ErrInterrupted))
				is.Equal(p.commands()[len(p.commands())-1], "Bash second")
			})
		})
	}
}

// A question is taken back before the host has heard of it, and the next one's dialog is
// drawn before its hook reports it. The host that thinks about the first is told.
func TestPermissionNextQuestionReportedLate(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		gone := filepath.Join(t.TempDir(), "gone")
		is.NoErr(os.WriteFile(gone, nil, 0o600))
		s := on.newStage(t, asking(fakeagent.Tool{Command: "first", Withdraw: gone}, fakeagent.Tool{Command: "second", LateReport: time.Second}))
		p := permitter{decisions: []Decision{deny}}
		_, err := s.turn(t.Context(), Request{Prompt: "hello", OnPermission: func(ctx context.Context, req PermissionRequest) (Decision, error) {
			if strings.Contains(string(req.Input), "first") {
				<-ctx.Done()
			}
			return p.decide(ctx, req)
		}})
		is.True(errors.Is(err, ErrInterrupted))
		is.Equal(p.commands()[len(p.commands())-1], "Bash second")
	})
}

// The question comes before the prompt is recorded.
func TestPermissionBeforeTheReceipt(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		script := asking(fakeagent.Tool{})
		script.Turns[0].WriteDelay = 700 * time.Millisecond
		s := on.newStage(t, script)
		p := permitter{decisions: []Decision{allow}}
		res, err := s.turn(t.Context(), Request{Prompt: "hello", OnPermission: p.decide})
		is.NoErr(err)
		is.Equal(res.Text, "done")
		is.Equal(p.commands(), []string{"Bash touch file0"})
	})
}

// The hook reports the question late, and the dialog's words are not known: those of
// 2.1.104 about an empty plan are "Exit plan mode?".
func TestPermissionReportedLate(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, asking(fakeagent.Tool{Words: "Exit plan mode?", Options: []string{"Yes", "No"}, LateReport: time.Second}))
		p := permitter{decisions: []Decision{allow}}
		res, err := s.turn(t.Context(), Request{Prompt: "hello", OnPermission: p.decide})
		is.NoErr(err)
		is.Equal(res.Text, "done")
		is.Equal(p.commands(), []string{"Bash touch file0"})
	})
}

// A menu of which no hook reports anything is not for the host.
func TestMenuIsNoPermission(t *testing.T) {
	t.Parallel()
	onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
		is := is.New(t)
		s := newStage(t, kind, answers(fakeagent.Turn{UnknownDialog: true}))
		var p permitter
		_, err := s.turn(t.Context(), Request{Prompt: "hello", OnPermission: p.decide})
		is.Equal(as[*BlockedError](t, err).Kind, "question")
		is.Equal(len(p.asked), 0)
	})
}

// saidNo is what claude tells the model when a person says no.
const saidNo = "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, the new_string was NOT written to the file)."
