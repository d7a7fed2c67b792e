package command

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func shell(script string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	return cmd
}

func TestOutput(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	long := strings.Repeat("x", 200_000)
	cmd := shell("cat; echo why >&2; exit 3")
	cmd.Stdin = strings.NewReader(long)
	out, said, err := Output(cmd)
	is.Equal(string(out), long)
	is.Equal(string(said), "why\n")
	exit, ok := errors.AsType[*exec.ExitError](err)
	is.True(ok && exit.ExitCode() == 3 && string(exit.Stderr) == "why\n")
}

// A process that the program has started keeps its pipes open.
func TestOutputDoesNotWaitForOthers(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	cmd := shell("echo out; echo said >&2; sleep 600 & echo $!")
	out, said, err := Output(cmd)
	is.NoErr(err)
	text, pid, _ := strings.Cut(string(out), "\n")
	is.NoErr(shell("kill " + pid).Run()) // it still runs
	is.Equal(text, "out")
	is.Equal(string(said), "said\n")
}

// What nobody has read when the program ends is read then.
func TestUnread(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r, w, err := os.Pipe()
	is.NoErr(err)
	defer r.Close()
	defer w.Close()
	is.Equal(string(unread(r)), "")
	_, err = w.WriteString("late")
	is.NoErr(err)
	r.SetReadDeadline(time.Now()) // as of a reader that was not in time
	is.Equal(string(unread(r)), "late")
}
