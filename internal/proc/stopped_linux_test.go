package proc

import (
	"os"
	"testing"

	"github.com/matryer/is"
)

// What waits for a disk does not work, and does not rest.
func TestWaits(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	self, err := os.Executable()
	is.NoErr(err)
	pid := plant(t, "PROC_TEST=none", self, helperArg, "waits").target.Pid
	eventually(t, "it to wait", func() bool { return Waits(pid) })
	resting := plant(t, "PROC_TEST=none", self, helperArg, "sleep").target.Pid
	eventually(t, "it to have read its own program", func() bool { return !Waits(resting) })
}
