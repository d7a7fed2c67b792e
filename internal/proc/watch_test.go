package proc

import (
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// watchers are the system's watch and the one for systems without.
var watchers = map[string]func(int) (*Watcher, error){
	"event": Watch,
	"poll":  func(pid int) (*Watcher, error) { return poll(pid), nil },
}

func wait(t *testing.T, w *Watcher) {
	t.Helper()
	select {
	case <-w.Done():
	case <-time.After(2 * time.Minute):
		t.Fatal("the end was not reported")
	}
}

func running(t *testing.T, w *Watcher) {
	t.Helper()
	select {
	case <-w.Done():
		t.Fatal("an end was reported that has not come")
	case <-time.After(3 * pollInterval):
	}
}

func TestWatchReportsTheEnd(t *testing.T) {
	for name, watch := range watchers {
		t.Run(name+" of a child, reaped", func(t *testing.T) {
			is := is.New(t)
			tr := sh(t, "echo ready; exec sleep 60")
			w, err := watch(tr.target.Pid)
			is.NoErr(err)
			defer w.Stop()
			running(t, w)
			is.NoErr(tr.cmd.Process.Kill())
			tr.cmd.Wait()
			wait(t, w)
		})
		t.Run(name+" of somebody else's child", func(t *testing.T) {
			is := is.New(t)
			tr := sh(t, "sleep 60 & echo $!; echo ready; wait; sleep 60")
			w, err := watch(tr.children[0].Pid)
			is.NoErr(err)
			defer w.Stop()
			running(t, w)
			is.NoErr(tr.children[0].Terminate())
			wait(t, w)
		})
		t.Run(name+" that has come already", func(t *testing.T) {
			is := is.New(t)
			tr := sh(t, "exit 0")
			is.NoErr(tr.cmd.Wait())
			w, err := watch(tr.target.Pid)
			is.NoErr(err)
			defer w.Stop()
			wait(t, w)
		})
	}
}

func TestWatchStop(t *testing.T) {
	for name, watch := range watchers {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			tr := sh(t, "echo ready; exec sleep 60")
			w, err := watch(tr.target.Pid)
			is.NoErr(err)
			w.Stop()
			w.Stop()
			running(t, w)
			is.NoErr(tr.cmd.Process.Kill())
			tr.cmd.Wait()
			running(t, w) // nobody looks any more
			w.Stop()
		})
	}
}

func TestWatchRefusesWhatIsNoPid(t *testing.T) {
	is := is.New(t)
	for _, pid := range []int{-1, 0} {
		_, err := Watch(pid)
		is.True(err != nil)
	}
}

// Several may watch one process, and one that stops takes nothing from the rest.
func TestWatchTwice(t *testing.T) {
	for name, watch := range watchers {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			tr := sh(t, "echo ready; exec sleep 60")
			var all [3]*Watcher
			for i := range all {
				var err error
				all[i], err = watch(tr.target.Pid)
				is.NoErr(err)
				defer all[i].Stop()
			}
			all[0].Stop()
			is.NoErr(tr.cmd.Process.Kill())
			wait(t, all[1])
			wait(t, all[2])
			running(t, all[0])
		})
	}
}

func TestWatchLeavesNothing(t *testing.T) {
	descriptors := func() int {
		names, err := os.ReadDir("/dev/fd")
		if err != nil {
			t.Skip("no /dev/fd:", err)
		}
		return len(names)
	}
	for name, watch := range watchers {
		t.Run(name, func(t *testing.T) {
			round := func(stop bool) {
				tr := sh(t, "echo ready; exec sleep 60")
				w, err := watch(tr.target.Pid)
				if err != nil {
					t.Fatal(err)
				}
				if stop {
					w.Stop()
				}
				tr.cmd.Process.Kill()
				tr.cmd.Wait()
				if !stop {
					wait(t, w)
				}
			}
			round(true) // opens the poller's own descriptors
			goroutines, files := runtime.NumGoroutine(), descriptors()
			for i := range 20 {
				round(i%2 == 0)
			}
			eventually(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
			eventually(t, "the descriptors to be closed", func() bool { return descriptors() <= files })
		})
	}
}

func TestStartTimeTellsTheDeadFromTheLiving(t *testing.T) {
	is := is.New(t)
	tr := sh(t, "echo ready; exec sleep 60")
	start, alive := StartTime(tr.target.Pid)
	is.True(alive)
	is.Equal(Identify(tr.target.Pid), Identity{tr.target.Pid, start})
	is.NoErr(Identify(tr.target.Pid).Terminate())
	tr.cmd.Wait()
	_, alive = StartTime(tr.target.Pid)
	is.True(!alive)
	is.NoErr(Identity{tr.target.Pid, start}.Terminate()) // no error after the end
	is.Equal(tr.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), syscall.SIGTERM)
}
