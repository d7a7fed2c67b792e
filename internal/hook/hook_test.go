package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
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
					cmd.Env = []string{"PATH=" + c.path, FileVar + "=" + hooks}
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
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), FileVar + "=" + hooks}
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
	is.Equal(line.Event, Asked)
	is.Equal(line.Pid, cmd.Process.Pid)
	q, err := Read(dir, line.Pid)
	is.NoErr(err)
	is.Equal(q.Tool, "Bash")
	is.Equal(`{"tool_name":"Bash","tool_input":`+string(q.Input)+"}", input)
	is.True(q.Open())
	decision := `{"hookSpecificOutput":"no \"such\"\nthing"}`
	is.NoErr(q.Answer(t.Context(), decision, nil))
	is.NoErr(cmd.Wait())
	is.Equal(out.String(), decision)
	is.True(!q.Open())
	is.True(errors.Is(q.Answer(t.Context(), decision, nil), fs.ErrNotExist))
}

// A hook whose report cannot be read is not left to wait.
func TestAQuestionThatCannotBeReadEnds(t *testing.T) {
	t.Parallel()
	for name, report := range map[string]string{"torn": `{"tool_name":"Ba`, "gone": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			dir := t.TempDir()
			file := filepath.Join(dir, askPrefix+"1")
			is.NoErr(syscall.Mkfifo(file+replySuffix, 0o600))
			if report != "" {
				is.NoErr(os.WriteFile(file, []byte(report), 0o600))
			}
			_, err := Read(dir, 1)
			is.True(err != nil)
			left, err := os.ReadDir(dir)
			is.NoErr(err)
			is.Equal(len(left), 0)
		})
	}
}

// A question that nobody will hear does not keep its hook.
func TestRelease(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := filepath.Join(t.TempDir(), "[a]*") // no pattern
	is.NoErr(os.Mkdir(dir, 0o700))
	cmd := exec.Command("/bin/sh", "-c", askCommand)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), FileVar + "=" + filepath.Join(dir, "hooks.jsonl")}
	cmd.Stdin = strings.NewReader(`{"tool_name":"Bash"}`)
	var out bytes.Buffer
	cmd.Stdout = &out
	is.NoErr(cmd.Start())
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	is.NoErr(os.WriteFile(filepath.Join(dir, "other"), nil, 0o600))
	for {
		if b, _ := os.ReadFile(filepath.Join(dir, "hooks.jsonl")); len(b) > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for waiting := true; waiting; {
		Release(dir)
		select {
		case err := <-ended:
			is.NoErr(err)
			waiting = false
		case <-time.After(5 * time.Millisecond): // it was about to wait
		}
	}
	is.Equal(out.String(), "")
	left, err := os.ReadDir(dir)
	is.NoErr(err)
	is.Equal(len(left), 2) // what it reported, and what is not a hook's
}
