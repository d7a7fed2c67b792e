package lease

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

// As "unshare --pid" without --mount-proc leaves it.
func TestAHostThatIsAnotherInProc(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	cmd := exec.Command(must(os.Executable()), helperArg, "try", parent)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "GORACE=atexit_sleep_ms=0"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	out, err := cmd.Output()
	if err != nil {
		t.Skip("no new pid namespace may be made here: ", err)
	}
	is.True(strings.HasPrefix(string(out), "error: "))
	is.True(strings.Contains(string(out), "mount /proc"))
	is.Equal(len(below(t, parent)), 0)
}
