package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/internal/lease"
)

// With -demo the agent is this test binary.
func TestMain(m *testing.M) {
	if fakeagent.Enabled() {
		os.Exit(fakeagent.Main())
	}
	lease.Apart()
	lease.Considered = lease.NoOrphans
	os.Exit(m.Run())
}

// run is the command with a home, a temporary directory and an environment of
// the test's own.
func run(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	// Short: a tmux server's socket is made below it.
	tmp, err := os.MkdirTemp("", "ask-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := os.ReadDir(tmp)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
		os.RemoveAll(tmp)
	})
	t.Setenv("TMPDIR", tmp)
	var out, errs bytes.Buffer
	a := ask{
		home:    t.TempDir(),
		environ: []string{"PATH=" + os.Getenv("PATH")},
		stdin:   strings.NewReader(stdin), stdout: &out, stderr: &errs,
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	status = a.run(ctx, args)
	return status, out.String(), errs.String()
}

// script gives the built-in agent a behaviour.
func script(s fakeagent.Script) string { return "-env=" + s.Environ()[0] }

func TestAnswerAloneGoesToStandardOutput(t *testing.T) {
	for _, terminal := range []string{"auto", "pty"} {
		t.Run(terminal, func(t *testing.T) {
			is := is.New(t)
			status, out, errs := run(t, "", "-demo", "-terminal", terminal, "hello")
			is.Equal(errs, "")
			is.Equal(out, "You said: hello\n")
			is.Equal(status, 0)
		})
	}
}

func TestPromptFromStandardInput(t *testing.T) {
	is := is.New(t)
	status, out, _ := run(t, "one\n\ttwo\n", "-demo", "-")
	is.Equal(status, 0)
	is.Equal(out, "You said: one\n\ttwo\n")
}

func TestJSON(t *testing.T) {
	is := is.New(t)
	status, out, errs := run(t, "", "-demo", "-terminal", "pty", "-json", "a <b> & c")
	is.Equal(errs, "")
	is.Equal(status, 0)
	var got map[string]any
	is.NoErr(json.Unmarshal([]byte(out), &got))
	is.Equal(strings.Count(out, "\n"), 1) // one object, one line
	is.Equal(got["text"], "You said: a <b> & c")
	is.Equal(got["stop_reason"], "end_turn")
	is.Equal(got["terminal"], "pty")
	is.Equal(got["agent_version"], fakeagent.Version)
	is.True(len(got["session_id"].(string)) == 36)
	is.True(got["model"] != "")
	is.True(got["usage"].(map[string]any)["output_tokens"].(float64) > 0)
	is.Equal(got["error"], nil)
	times := got["timings"].(map[string]any)
	sum := 0.0
	for _, part := range []string{"boot_ms", "submit_ms", "answer_ms", "teardown_ms"} {
		is.True(times[part].(float64) > 0)
		sum += times[part].(float64)
	}
	total := times["total_ms"].(float64)
	sum += times["queue_ms"].(float64)
	is.True(sum <= total && total-sum < 50) // they add up
}

func TestManyWarmTurns(t *testing.T) {
	is := is.New(t)
	status, out, errs := run(t, "", "-demo", "-terminal", "pty", "-json", "-n", "3", "-warm", "2", "hello")
	is.Equal(errs, "")
	is.Equal(status, 0)
	sessions := map[string]bool{}
	for line := range strings.Lines(out) {
		var got report
		is.NoErr(json.Unmarshal([]byte(line), &got))
		is.Equal(got.Text, "You said: hello")
		is.True(got.Warm)
		sessions[got.SessionID] = true
	}
	is.Equal(len(sessions), 3)
}

// The first failure decides the exit status, and the turns after it are run.
func TestManyTurnsOneFails(t *testing.T) {
	is := is.New(t)
	status, out, _ := run(t, "", "-demo", "-terminal", "pty", "-json", "-n", "2",
		script(fakeagent.Script{Turns: []fakeagent.Turn{{APIError: &fakeagent.APIError{Status: 401}}}}), "hello")
	is.Equal(status, 3)
	is.Equal(strings.Count(out, "\n"), 2)
}

func TestStream(t *testing.T) {
	is := is.New(t)
	status, out, errs := run(t, "", "-demo", "-terminal", "pty", "-stream", script(fakeagent.Script{
		Version: "2.1.330",
		Turns:   []fakeagent.Turn{{Text: "it is\ndone", Tool: &fakeagent.Tool{Narration: "I will look"}}},
	}), "hello")
	is.Equal(errs, "")
	is.Equal(status, 0)
	is.Equal(out, "I will look\n\nit is\ndone\n")
}

func TestExitStatus(t *testing.T) {
	turn := func(turn fakeagent.Turn) string { return script(fakeagent.Script{Turns: []fakeagent.Turn{turn}}) }
	missing := filepath.Join(t.TempDir(), "missing")
	for _, c := range []struct {
		name   string
		args   []string
		status int
		kind   string
	}{
		{"login refused", []string{"-demo", turn(fakeagent.Turn{APIError: &fakeagent.APIError{Status: 401}}), "x"}, 3, "authentication"},
		{"overloaded", []string{"-demo", turn(fakeagent.Turn{APIError: &fakeagent.APIError{Status: 529}}), "x"}, 6, "service"},
		{"deadline", []string{"-demo", "-timeout", "700ms", turn(fakeagent.Turn{Hang: true}), "x"}, 4, "deadline"},
		{"permission asked", []string{"-demo", turn(fakeagent.Turn{Tool: &fakeagent.Tool{Ask: true}}), "x"}, 5, "blocked"},
		{"agent ends", []string{"-demo", script(fakeagent.Script{End: &fakeagent.End{At: fakeagent.AtBoot, Status: 3}}), "x"}, 1, "exited"},
		{"no such agent", []string{"-home", t.TempDir(), "-agent", missing, "x"}, 1, "other"},
		{"no such directory", []string{"-demo", "-workdir", missing, "x"}, 1, "other"},
		{"empty prompt", []string{"-demo", " "}, 2, "prompt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			status, out, errs := run(t, "", append([]string{"-json", "-terminal", "pty"}, c.args...)...)
			is.Equal(errs, "")
			var got report
			is.NoErr(json.Unmarshal([]byte(out), &got))
			if got.Error == nil {
				t.Fatalf("no error: %s", out)
			}
			is.Equal(got.Error.Kind, c.kind)
			is.True(got.Error.Message != "")
			is.Equal(status, c.status)
		})
	}
}

func TestTruncatedAnswerIsPrintedAndFails(t *testing.T) {
	is := is.New(t)
	status, out, errs := run(t, "", "-demo", "-terminal", "pty",
		script(fakeagent.Script{Turns: []fakeagent.Turn{{Text: "the beginning", StopReason: "max_tokens"}}}), "x")
	is.Equal(out, "the beginning\n")
	is.True(strings.HasPrefix(errs, "ask: "))
	is.Equal(status, 4)
}

func TestUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"no prompt":         {"-demo"},
		"two prompts":       {"-demo", "a", "b"},
		"unknown flag":      {"-nope", "a"},
		"unknown terminal":  {"-terminal", "teletype", "a"},
		"a variable alone":  {"-env", "KEY", "a"},
		"no turn":           {"-n", "0", "a"},
		"less than nothing": {"-warm", "-1", "a"},
		"no time":           {"-timeout", "0", "a"},
		"not even a moment": {"-timeout", "soon", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			status, out, errs := run(t, "", args...)
			is.Equal(status, 2)
			is.Equal(out, "")
			is.True(errs != "")
		})
	}
}

func TestProgress(t *testing.T) {
	is := is.New(t)
	var out, errs bytes.Buffer
	a := ask{home: t.TempDir(), environ: []string{"PATH=/usr/bin:/bin"}, stdout: &out, stderr: &errs, progress: true}
	is.Equal(a.run(t.Context(), []string{"-demo", "-terminal", "pty", "hello"}), 0)
	is.Equal(out.String(), "You said: hello\n")
	var stages []string
	for line := range strings.Lines(errs.String()) {
		stages = append(stages, strings.Fields(line)[1])
	}
	is.Equal(stages, []string{"booting", "ready", "submitted", "answering", "done"})
}

func TestUsageIsReportedAsJSONToo(t *testing.T) {
	is := is.New(t)
	status, out, _ := run(t, "", "-json")
	is.Equal(status, 2)
	var got report
	is.NoErr(json.Unmarshal([]byte(out), &got))
	is.Equal(got.Error.Kind, "usage")
}

func TestDeadlineHoldsForStandardInput(t *testing.T) {
	is := is.New(t)
	r, w := io.Pipe() // nothing ever comes
	defer w.Close()
	var out, errs bytes.Buffer
	a := ask{home: t.TempDir(), stdin: r, stdout: &out, stderr: &errs}
	is.Equal(a.run(t.Context(), []string{"-demo", "-timeout", "50ms", "-"}), 4)
}
