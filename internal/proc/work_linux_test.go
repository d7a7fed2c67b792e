package proc

import (
	"os"
	"os/exec"
	"syscall"
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

// A process that waits for another is as busy as that one, whoever has started it, unless
// it has done so long ago.
func TestDelegates(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   bool
	}{
		"a child works":         {"sh -c 'while :; do :; done; :'; :", true},
		"a grandchild works":    {"sh -c 'sh -c \"while :; do :; done\"; :'; :", true},
		"a child waits":         {"sleep 60; :", false},
		"nobody is waited for":  {"read never", false},
		"it works itself, only": {"while :; do :; done", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			cmd := exec.Command("sh", "-c", c.script)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			stdin, err := cmd.StdinPipe()
			is.NoErr(err)
			is.NoErr(cmd.Start())
			defer func() {
				is.NoErr(syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
				cmd.Wait()
				stdin.Close()
			}()
			pid := cmd.Process.Pid
			if c.want {
				for deadline := time.Now().Add(5 * time.Minute); !Delegates(pid, time.Hour, 5); time.Sleep(time.Millisecond) {
					is.True(time.Now().Before(deadline)) // it is seen
				}
				time.Sleep(50 * time.Millisecond)
				is.True(!Delegates(pid, 30*time.Millisecond, 5)) // its child is too old
				return
			}
			// A process that has just been started works for a moment, whatever it is.
			for deadline := time.Now().Add(5 * time.Minute); Delegates(pid, time.Hour, 5); time.Sleep(time.Millisecond) {
				is.True(time.Now().Before(deadline)) // it rests
			}
		})
	}
}
