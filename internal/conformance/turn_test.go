package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// TestTurn runs each case on a host of its own. Those that have to do with the
// terminal run over both, the others over one of them, in turns.
func TestTurn(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		run  func(*testing.T, *host)
		both bool
	}{
		{"one line", oneLine, true},
		{"two bytes", twoBytes, true},
		{"200 lines", manyLines, true},
		{"long answer", longAnswer, false},
		{"tool call", toolCall, false},
		{"permission", permission, false},
		{"HTTP 401", unauthorized, false},
		{"HTTP 529", overloaded, false},
		{"home of claude -p", homeOfPrintMode, false},
		{"second turn", secondTurn, false},
		{"cancel", cancelled, true},
		{"close", closed, true},
		{"HTTP 400", httpError(400), false},
		{"HTTP 403", httpError(403), false},
		{"HTTP 429", httpError(429), false},
		{"HTTP 500", httpError(500), false},
		{"connection dropped", dropped, false},
		{"refusal", refusal, false},
		{"max_tokens", maxTokens, false},
		{"home of another version", homeOfAnotherVersion, false},
		{"working directory behind a link", linkedWorkDir, false},
		{"working directory with a long path", deepWorkDir, false},
		{"working directory in NFD", decomposedWorkDir, false},
		{"directory that names a server", namedServer, false},
		{"directory that imports", importingDirectory, false},
		{"commands allowed", commandsAllowed, false},
	}
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		for i, c := range cases {
			if !c.both && !itsTurn(i, version, terminal) {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, newHost(t, version, terminal))
			})
		}
	})
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func oneLine(t *testing.T, h *host) {
	is := is.New(t)
	work := h.workDir(t)
	usage := standin.Usage{InputTokens: 11, OutputTokens: 7, CacheReadInputTokens: 5, CacheCreationInputTokens: 3}
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "What is the answer?", WorkDir: work}, func(standin.Request) standin.Reply {
		return standin.Reply{Text: "It is 42.", Usage: usage}
	})
	is.NoErr(x.err)
	is.Equal(x.res.Text, "It is 42.")
	is.Equal(x.res.StopReason, "end_turn")
	is.Equal(x.res.AgentVersion, h.version)
	is.Equal(x.res.Terminal, h.runner.Terminal)
	is.Equal(x.res.Usage, transcript.Usage{InputTokens: 11, OutputTokens: 7, CacheReadInputTokens: 5, CacheCreationInputTokens: 3})
	is.True(uuid.MatchString(x.res.SessionID))
	_, err := os.Stat(transcript.Path(h.home, work, x.res.SessionID))
	is.NoErr(err) // the session is the one that the result names

	is.Equal(len(x.asked()), 1)
	is.Equal(x.asked()[0].Prompt(), "What is the answer?")
	is.Equal(x.asked()[0].Token(), token)
	is.Equal(x.res.Model, x.asked()[0].Model())

	times := x.res.Timings
	for _, part := range []time.Duration{times.Boot, times.Submit, times.Answer, times.Teardown} {
		is.True(part > 0)
	}
	rest := times.Total - (times.Queue + times.Boot + times.Submit + times.Answer + times.Teardown)
	is.True(rest.Abs() < 50*time.Millisecond) // the parts add up
}

func twoBytes(t *testing.T, h *host) {
	is := is.New(t)
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "hi"}, say("hello"))
	is.NoErr(x.err)
	is.Equal(x.res.Text, "hello")
	is.Equal(x.asked()[0].Prompt(), "hi")
}

func manyLines(t *testing.T, h *host) {
	is := is.New(t)
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "%d\tif x := \"a\"; x != 'b' {\t// 👩🏽‍💻 é $(touch pwned) `touch pwned` \\n %%s @x  \n", i)
	}
	work := h.workDir(t)
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: b.String(), WorkDir: work}, say("read"))
	is.NoErr(x.err)
	is.Equal(x.res.Text, "read")
	is.Equal(x.asked()[0].Prompt(), strings.TrimRight(b.String(), " \n"))
	is.Equal(len(snapshot(t, work)), 0) // nothing has been made
}

func longAnswer(t *testing.T, h *host) {
	is := is.New(t)
	// Code: 2.1.104 takes twice as long to draw prose, and draws it all anew with
	// each piece that comes: 100 KB cost it 5 s of a core, 140 KB 50 s, 200 KB two
	// minutes.
	size := 200_000
	if h.version == "2.1.104" && !long() {
		size = 100_000
	}
	var b strings.Builder
	b.WriteString("```\n")
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "row %d of the answer, with \"quotes\", a\ttab and a few words more\n", i)
	}
	answer := b.String() + "```\nThe end."
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Tell me everything."}, func(standin.Request) standin.Reply {
		return standin.Reply{Text: answer, Piece: len(answer)}
	})
	is.NoErr(x.err)
	is.True(x.res.Text == answer)
}

func toolCall(t *testing.T, h *host) {
	is := is.New(t)
	work := h.workDir(t)
	notes := filepath.Join(work, "notes.txt")
	writeFile(t, notes, "the harbour is closed\n")
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "What do my notes say?", WorkDir: work}, func(r standin.Request) standin.Reply {
		if len(r.ToolResults()) == 0 {
			return standin.Reply{
				Text:  "I am going to look.",
				Tools: []standin.ToolUse{{Name: "Read", Input: map[string]string{"file_path": notes}}},
				Usage: standin.Usage{OutputTokens: 20},
			}
		}
		return standin.Reply{Text: "That the harbour is closed.", Usage: standin.Usage{OutputTokens: 9}}
	})
	is.NoErr(x.err)
	is.Equal(x.res.Text, "That the harbour is closed.") // and not what was said before
	is.Equal(x.res.StopReason, "end_turn")
	is.Equal(int(x.res.Usage.OutputTokens), 29)
	is.Equal(len(x.asked()), 2)
	results := x.asked()[1].ToolResults()
	is.Equal(len(results), 1)
	is.True(!results[0].IsError)
	is.True(strings.Contains(results[0].Text, "the harbour is closed"))
}

func permission(t *testing.T, h *host) {
	is := is.New(t)
	work := h.workDir(t)
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Make a file.", WorkDir: work}, func(r standin.Request) standin.Reply {
		if !r.HasTools() {
			return standin.Reply{Text: "none"}
		}
		return standin.Reply{Text: "I am going to.", Tools: []standin.ToolUse{
			{Name: "Bash", Input: map[string]string{"command": "touch pwned", "description": "Makes a file"}},
		}}
	})
	var blocked *tuiturn.BlockedError
	is.True(errors.As(x.err, &blocked))
	is.Equal(blocked.Kind, "permission")
	is.True(len(blocked.Options) >= 2)
	is.True(blocked.Highlighted >= 0)
	is.Equal(x.res.Text, "")
	is.Equal(len(snapshot(t, work)), 0)           // the command has not run
	is.True(x.res.Timings.Total < 30*time.Second) // nobody was waited for
}

func refusal(t *testing.T, h *host) {
	is := is.New(t)
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Do it."}, func(standin.Request) standin.Reply {
		return standin.Reply{Text: "I would rather", StopReason: "refusal"}
	})
	is.True(errors.Is(x.err, tuiturn.ErrRefused))
}

// The agent lets a message that was cut be continued three times before it
// gives up.
func maxTokens(t *testing.T, h *host) {
	is := is.New(t)
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Count."}, func(standin.Request) standin.Reply {
		return standin.Reply{Text: "one, two, ", StopReason: "max_tokens"}
	})
	is.True(errors.Is(x.err, tuiturn.ErrTruncated))
	is.True(strings.HasPrefix(x.res.Text, "one, two, "))
}

func unauthorized(t *testing.T, h *host) {
	is := is.New(t)
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Hello?"}, func(standin.Request) standin.Reply {
		return standin.Reply{Status: 401, Message: "invalid bearer token"}
	})
	is.True(errors.Is(x.err, tuiturn.ErrAuthentication))
	var api *tuiturn.APIError
	is.True(errors.As(x.err, &api))
	is.Equal(api.Status, 401)
	is.True(!api.Retryable())
	is.True(x.res.Timings.Answer < 15*time.Second)
}

// The agent repeats the request for some 9 s.
func overloaded(t *testing.T, h *host) {
	is := is.New(t)
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Hello?"}, func(standin.Request) standin.Reply {
		return standin.Reply{Status: 529, Message: "overloaded"}
	})
	var api *tuiturn.APIError
	is.True(errors.As(x.err, &api))
	is.Equal(api.Status, 529)
	is.True(api.Retryable())
	is.True(!errors.Is(x.err, tuiturn.ErrAuthentication))
	is.True(len(x.asked()) > 1)
	is.True(x.res.Timings.Answer < 40*time.Second)
}

// httpError is a service that fails with status, and an agent that is told to
// ask no second time.
func httpError(status int) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		is := is.New(t)
		req := tuiturn.Request{Prompt: "Hello?", Env: []string{"CLAUDE_CODE_MAX_RETRIES=0"}}
		x := h.turn(t, t.Context(), req, func(standin.Request) standin.Reply {
			return standin.Reply{Status: status, Message: "the stand-in says no"}
		})
		var api *tuiturn.APIError
		is.True(errors.As(x.err, &api))
		if h.version != "2.1.104" { // which records a status with a repetition only
			is.Equal(api.Status, status)
			is.Equal(api.Retryable(), status == 429 || status >= 500)
		}
		is.Equal(errors.Is(x.err, tuiturn.ErrAuthentication), status == 403) // as the agent names it
		is.True(strings.Contains(api.Message, "the stand-in says no"))
		is.True(x.res.Timings.Answer < 15*time.Second)
	}
}

// A connection that is cut is tried anew, and then the service answers.
func dropped(t *testing.T, h *host) {
	is := is.New(t)
	asked := make(chan bool, 1)
	asked <- true
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Hello?"}, func(standin.Request) standin.Reply {
		select {
		case <-asked:
			return standin.Reply{Text: strings.Repeat("a piece ", 500), Drop: true, DropAfter: 3}
		default:
			return standin.Reply{Text: "whole"}
		}
	})
	is.NoErr(x.err)
	is.Equal(x.res.Text, "whole")
}

// claude -p leaves a .claude.json that lacks the mark of a finished onboarding.
func homeOfPrintMode(t *testing.T, h *host) {
	is := is.New(t)
	api := standin.Start(say("printed"))
	defer api.Close()
	must(t, os.Mkdir(h.home, 0o700))
	ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, agentPath(t, h.version), "-p", "hello")
	cmd.Dir = h.workDir(t)
	cmd.Env = append(tuiauth.Environ(h.runner.Environ, h.runner.Home, tuiauth.Secret(token)), "ANTHROPIC_BASE_URL="+api.URL, "TMPDIR="+h.workDir(t))
	out, err := cmd.Output()
	is.NoErr(err)
	is.Equal(strings.TrimSpace(string(out)), "printed")
	var config map[string]any
	b, err := os.ReadFile(filepath.Join(h.home, ".claude.json"))
	is.NoErr(err)
	is.NoErr(json.Unmarshal(b, &config))
	is.Equal(config["hasCompletedOnboarding"], nil)

	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Hello?"}, say("hello"))
	is.NoErr(x.err)
	is.Equal(x.res.Text, "hello")
}

// An agent that finds the home of another version may begin with what is new.
func homeOfAnotherVersion(t *testing.T, h *host) {
	is := is.New(t)
	all := versions()
	if len(all) == 1 {
		return // there is no other version
	}
	// The one before; the oldest gets the home of the newest.
	before := all[(slices.Index(all, h.version)+len(all)-1)%len(all)]
	h.runner.Agent = tuiturn.Claude{Path: agentPath(t, before)}
	is.NoErr(h.turn(t, t.Context(), tuiturn.Request{Prompt: "First."}, say("first")).err)

	now := newHost(t, h.version, h.runner.Terminal)
	now.runner.Home, now.home = h.runner.Home, h.home
	x := now.turn(t, t.Context(), tuiturn.Request{Prompt: "Second."}, say("second"))
	is.NoErr(x.err)
	is.Equal(x.res.Text, "second")
	is.Equal(x.res.AgentVersion, h.version)
}

func secondTurn(t *testing.T, h *host) {
	is := is.New(t)
	const model = "claude-sonnet-4-5-20250929"
	work := h.workDir(t)
	first := h.turn(t, t.Context(), tuiturn.Request{Prompt: "My name is Ada.", WorkDir: work}, say("Hello, Ada."))
	is.NoErr(first.err)
	second := h.turn(t, t.Context(), tuiturn.Request{Prompt: "What is my name?", WorkDir: work, Model: model}, say("I don't know."))
	is.NoErr(second.err)
	is.Equal(second.res.Text, "I don't know.")
	is.Equal(second.res.Model, model)
	is.Equal(second.asked()[0].Model(), model)
	is.True(second.res.SessionID != first.res.SessionID)
	for _, r := range second.requests {
		is.True(!strings.Contains(string(r.Body), "Ada")) // turns know nothing of each other
	}
}

func cancelled(t *testing.T, h *host) {
	is := is.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var at time.Time
	x := h.turn(t, ctx, tuiturn.Request{Prompt: "Go on."}, func(standin.Request) standin.Reply {
		at = time.Now()
		time.AfterFunc(time.Second, cancel) // when the answer has begun
		return standin.Reply{Text: strings.Repeat("and on ", 5000), PieceDelay: 300 * time.Millisecond}
	})
	is.True(errors.Is(x.err, context.Canceled))
	is.True(time.Since(at) < 10*time.Second)
}

func closed(t *testing.T, h *host) {
	is := is.New(t)
	closed := make(chan error, 1)
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Go on."}, func(standin.Request) standin.Reply {
		go func() { closed <- h.runner.Close() }()
		return standin.Reply{Text: "too late", Delay: time.Minute}
	})
	is.True(errors.Is(x.err, tuiturn.ErrClosed))
	is.NoErr(<-closed)
	_, err := h.runner.Turn(t.Context(), tuiturn.Request{Prompt: "And now?"})
	is.True(errors.Is(err, tuiturn.ErrClosed))
}

func linkedWorkDir(t *testing.T, h *host) {
	is := is.New(t)
	target := filepath.Join(h.dir, "a dir — é 漢字 👍🏽 'q' $x")
	must(t, os.Mkdir(target, 0o700))
	link := filepath.Join(h.dir, "link")
	must(t, os.Symlink(target, link))
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Hello?", WorkDir: link}, say("hello"))
	is.NoErr(x.err)
	is.Equal(x.res.Text, "hello")
}

func deepWorkDir(t *testing.T, h *host) {
	is := is.New(t)
	deep := filepath.Join(h.dir, strings.Repeat("a long way down/", 20))
	must(t, os.MkdirAll(deep, 0o700))
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Hello?", WorkDir: deep}, say("hello"))
	is.NoErr(x.err)
	is.Equal(x.res.Text, "hello")
}

// A name with an accent that is a character of its own, as older macOS file
// systems give it. 2.1.104 and 2.1.158 compose the name and then miss the
// directory: 2.1.158 ends and says so, 2.1.104 draws nothing.
func decomposedWorkDir(t *testing.T, h *host) {
	is := is.New(t)
	dir := filepath.Join(h.dir, "cafe\u0301")
	must(t, os.Mkdir(dir, 0o700))
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	x := h.turn(t, ctx, tuiturn.Request{Prompt: "Hello?", WorkDir: dir}, say("hello"))
	if h.version < "2.1.330" && runtime.GOOS == "linux" {
		is.True(x.err != nil)
		return
	}
	is.NoErr(x.err)
	is.Equal(x.res.Text, "hello")
}

// Like TestMentionsAllowed it shows that what TestPromptIsData looks for can be
// seen.
func commandsAllowed(t *testing.T, h *host) {
	is := is.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	x := h.turn(t, ctx, tuiturn.Request{Prompt: "/help", AllowCommands: true}, say("no"))
	is.True(x.err != nil) // a command has no answer
	is.Equal(len(x.asked()), 0)
}

// namedServer: a .mcp.json makes the agent ask before it takes a prompt, and it
// writes the answer down in the directory.
func namedServer(t *testing.T, h *host) {
	is := is.New(t)
	work := h.workDir(t)
	started := filepath.Join(h.dir, "server-started")
	writeFile(t, filepath.Join(work, ".mcp.json"), `{"mcpServers":{"foo":{"command":"/usr/bin/touch","args":["`+started+`"]}}}`)
	before := snapshot(t, work)
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Say hello.", WorkDir: work}, say("hello"))
	is.NoErr(x.err)
	is.Equal(x.res.Text, "hello")
	is.Equal(snapshot(t, work), before) // nothing was written
	_, err := os.Stat(started)
	is.True(errors.Is(err, fs.ErrNotExist)) // and the server was not started
}

// importingDirectory: a CLAUDE.md that names a file outside the directory makes
// the agent ask whether it may be read.
func importingDirectory(t *testing.T, h *host) {
	is := is.New(t)
	work := h.workDir(t)
	outside := filepath.Join(h.dir, "outside.md")
	writeFile(t, outside, secret)
	writeFile(t, filepath.Join(work, "CLAUDE.md"), "see @"+outside+"\n")
	x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Say hello.", WorkDir: work}, say("hello"))
	is.NoErr(x.err)
	is.Equal(x.res.Text, "hello")
	for _, r := range x.requests {
		is.True(!bytes.Contains(r.Body, []byte(secret))) // it was not read
	}
}
