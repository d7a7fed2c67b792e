package tuiturn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// TestHooksMeanNothing breaks everything that a hook of ours needs. To the agent a
// status of 2 is an objection and any text an instruction.
func TestHooksMeanNothing(t *testing.T) {
	t.Parallel()
	var shells []string
	for _, shell := range []string{"sh", "dash", "bash", "busybox", "zsh", "ksh", "mksh"} {
		if path, err := exec.LookPath(shell); err == nil {
			shells = append(shells, path)
		}
	}
	for _, shell := range shells {
		for name, command := range map[string]string{"report": reportCommand, "ask": askCommand} {
			for kind, c := range map[string]struct {
				breaks func(dir string) (hooks string)
				path   string
				before string // in the shell
			}{
				"the directory is gone":         {breaks: func(dir string) string { return filepath.Join(dir, "none", "hooks.jsonl") }},
				"a directory instead of a file": {breaks: func(dir string) string { return dir }},
				"no name":                       {breaks: func(string) string { return "" }},
				"no PATH":                       {path: "/nowhere"},
				"no descriptors":                {before: "ulimit -n 3 2>/dev/null;"},
				"no room in a file":             {before: "ulimit -f 0 2>/dev/null;"},
				"standard output is closed":     {before: "exec >&-;"},
				"nobody reads":                  {before: "exec 0<&-;"},
			} {
				t.Run(filepath.Base(shell)+"/"+name+"/"+kind, func(t *testing.T) {
					t.Parallel()
					is := is.New(t)
					dir := t.TempDir()
					hooks := filepath.Join(dir, "hooks.jsonl")
					if c.breaks != nil {
						hooks = c.breaks(dir)
					}
					if c.path == "" {
						c.path = os.Getenv("PATH")
					}
					args := []string{"-c", c.before + command}
					if filepath.Base(shell) == "busybox" {
						args = append([]string{"sh"}, args...)
					}
					cmd := exec.Command(shell, args...)
					cmd.Env = []string{"PATH=" + c.path, hooksVar + "=" + hooks}
					cmd.Stdin = strings.NewReader(`{"hook_event_name":"Stop"}` + "\n")
					var out bytes.Buffer
					cmd.Stdout = &out
					// A hook that could report its question waits for the answer.
					is.NoErr(cmd.Start())
					stop := make(chan struct{})
					defer close(stop)
					go func() {
						for {
							select {
							case <-stop:
								return
							case <-time.After(20 * time.Millisecond):
								replies, _ := filepath.Glob(filepath.Join(dir, askPrefix+"*"+replySuffix))
								for _, reply := range replies {
									if w, err := os.OpenFile(reply, os.O_RDWR, 0); err == nil {
										os.Remove(reply)
										w.Close()
									}
								}
							}
						}
					}()
					err := cmd.Wait()
					is.NoErr(err)
					is.Equal(out.String(), "")
				})
			}
		}
	}
}

// A hook that asks prints what it is told, and that alone.
func TestHookPrintsTheDecision(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := t.TempDir()
	hooks := filepath.Join(dir, "hooks.jsonl")
	cmd := exec.Command("/bin/sh", "-c", askCommand)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), hooksVar + "=" + hooks}
	input := `{"tool_name":"Bash","tool_input":{"command":"` + strings.Repeat("x", 1<<20) + `"}}`
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout = &out
	is.NoErr(cmd.Start())
	var line struct {
		Event string `json:"hook_event_name"`
		Pid   int
	}
	for {
		b, _ := os.ReadFile(hooks)
		if bytes.HasSuffix(b, []byte("\n")) {
			is.NoErr(json.Unmarshal(b, &line))
			break
		}
		time.Sleep(time.Millisecond)
	}
	is.Equal(line.Event, askedEvent)
	is.Equal(line.Pid, cmd.Process.Pid)
	file := filepath.Join(dir, fmt.Sprint(askPrefix, line.Pid))
	b, err := os.ReadFile(file)
	is.NoErr(err)
	is.True(string(b) == input)
	w, err := os.OpenFile(file+replySuffix, os.O_WRONLY, 0)
	is.NoErr(err)
	decision := Claude{}.decide(false, "no \"such\"\nthing")
	w.WriteString(decision)
	w.Close()
	is.NoErr(cmd.Wait())
	is.Equal(out.String(), decision)
}

// A hook whose report cannot be read is not left to wait.
func TestAQuestionThatCannotBeReadEnds(t *testing.T) {
	t.Parallel()
	for name, report := range map[string]string{"torn": `{"tool_name":"Ba`, "gone": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			dir := t.TempDir()
			asks := &turn{pane: &pane{dir: dir}, runner: &Runner{}, agent: Claude{}}
			is.NoErr(syscall.Mkfifo(asks.askFile(1)+replySuffix, 0o600))
			if report != "" {
				is.NoErr(os.WriteFile(asks.askFile(1), []byte(report), 0o600))
			}
			asks.asked(1)
			is.Equal(len(asks.questions), 0)
			left, err := os.ReadDir(dir)
			is.NoErr(err)
			is.Equal(len(left), 0)
		})
	}
}
