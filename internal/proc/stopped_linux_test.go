package proc

import (
	"os"
	"testing"
	"time"

	"github.com/matryer/is"
)

// What waits for a disk does not work, and does not rest.
func TestWaits(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	self, err := os.Executable()
	is.NoErr(err)
	pid := plant(t, "PROC_TEST=none", self, helperArg, "waits").target.Pid
	for late := time.Now().Add(2 * time.Minute); !Waits(pid); time.Sleep(time.Millisecond) {
		is.True(time.Now().Before(late))
	}
	resting := plant(t, "PROC_TEST=none", self, helperArg, "sleep").target.Pid
	for late := time.Now().Add(2 * time.Minute); Waits(resting); time.Sleep(time.Millisecond) {
		is.True(time.Now().Before(late)) // it has read its own program
	}
}
