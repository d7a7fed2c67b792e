package lease

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

func TestTheGuardianHasNothingOfItsHost(t *testing.T) {
	is := is.New(t)
	t.Setenv("LEASE_TEST_SECRET", "x")
	fd, err := syscall.Dup(0) // as one that the host's own parent has left open
	is.NoErr(err)
	defer syscall.Close(fd)
	l := hold(t, t.TempDir())
	settled(t, guardianOf(l).Process.Pid)

	dir := fmt.Sprintf("/proc/%d/", guardianOf(l).Process.Pid)
	env, err := os.ReadFile(dir + "environ")
	is.NoErr(err)
	is.Equal(string(env), "PATH="+toolPath+"\x00")
	cwd, err := os.Readlink(dir + "cwd")
	is.NoErr(err)
	is.Equal(cwd, "/")
	names, err := os.ReadDir(dir + "fd")
	is.NoErr(err)
	fds := map[string]string{}
	for _, n := range names {
		fds[n.Name()], err = os.Readlink(dir + "fd/" + n.Name())
		is.NoErr(err)
	}
	is.True(strings.HasPrefix(fds["0"], "pipe:"))
	delete(fds, "0")
	is.Equal(fds, map[string]string{"1": "/dev/null", "2": "/dev/null"})
}

// The one that came instead does its work.
func TestTheSecondGuardianDoesItToo(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	h := everything(t, parent, system)
	first := h.guardian
	syscall.Kill(first.Pid, syscall.SIGKILL)
	eventually(t, "another guardian", func() bool {
		if all := guardians(t, h.dir); len(all) == 1 && all[0] != first {
			h.guardian = all[0]
		}
		return h.guardian != first
	})
	killAndLook(t, h, parent)
}
