package proc

import (
	"os"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestWorkTimeGrowsWithWork(t *testing.T) {
	is := is.New(t)
	before, ok := WorkTime(os.Getpid())
	is.True(ok)
	deadline := time.Now().Add(10 * time.Second)
	for {
		after, ok := WorkTime(os.Getpid())
		is.True(ok)
		if after >= before+50*time.Millisecond {
			return
		}
		is.True(time.Now().Before(deadline)) // it has worked for 50 ms by then
	}
}

func TestWorkTimeOfNobody(t *testing.T) {
	is := is.New(t)
	_, ok := WorkTime(1 << 30)
	is.True(!ok)
}
