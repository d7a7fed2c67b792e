package proc

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

var lastMarker atomic.Int64

func newMarker() string {
	return fmt.Sprintf("PROC_TEST=%d-%d", os.Getpid(), lastMarker.Add(1))
}

// carriers are the living processes that carry marker.
func carriers(t *testing.T, marker string) (alive []process) {
	t.Helper()
	all, err := table()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if !p.zombie && marked(p.Pid, marker) {
			alive = append(alive, p)
		}
	}
	return alive
}

func TestEndFindsTheWholeTree(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := func(s string) []string { return []string{"/bin/sh", "-c", s} }
	for name, c := range map[string]struct {
		words    []string
		unmarked bool // must be found without the marker
	}{
		"a child":                      {script(`sleep 60 & echo $!; echo ready; wait`), true},
		"a background group":           {[]string{self, helperArg, "group"}, true},
		"a child with a session":       {script(`setsid sleep 60 & echo $!; echo ready; wait`), true},
		"a child whose leader is gone": {script(`sleep 60 & echo $!; sleep 60 & echo $!; echo ready`), true},
		"a stubborn grandchild":        {script(`trap '' HUP TERM; sh -c 'sleep 60 & echo $!; echo ready; wait' & wait`), true},
		"a stopped child":              {script(`sleep 60 & echo $!; kill -STOP $!; echo ready; wait`), true},
		"a child without environment":  {script(`env -i sleep 60 & echo $!; echo ready; wait`), false},
		"a daemon":                     {script(`setsid sh -c 'sleep 60 & echo $!'; echo ready; exec sleep 60`), false},
		"a daemon of nobody":           {script(`setsid sh -c 'sleep 60 & echo $!'; echo ready`), false},
		"a process without its head":   {[]string{self, helperArg, "headless"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marker := newMarker()
			tr := plant(t, marker, c.words...)
			if !c.unmarked {
				tr.target.Marker = marker
			}
			end(t, tr.target)
			tr.gone(t)
			if left := carriers(t, marker); len(left) > 0 {
				t.Errorf("left over: %+v", left)
			}
		})
	}
}

// The program starts children until it is killed, in the middle of that.
func TestEndOutrunsAProgramThatForks(t *testing.T) {
	is := is.New(t)
	marker := newMarker()
	tr := plant(t, marker, "/bin/sh", "-c", `trap '' HUP TERM; i=0
		while [ $i -lt 2000 ]; do i=$((i+1)); sleep 60 & [ $i = 20 ] && echo ready; done; wait`)
	tr.target.Marker = marker
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	is.NoErr(End(ctx, tr.target))
	tr.gone(t)
	is.Equal(len(carriers(t, marker)), 0)
}

func TestEndKeepsToItsTree(t *testing.T) {
	const script = `setsid sh -c 'sleep 60 & echo $!'; sleep 60 & echo $!; echo ready; wait`
	marker := newMarker()
	one := plant(t, marker, "/bin/sh", "-c", script)
	other := plant(t, marker+"0", "/bin/sh", "-c", script)
	one.target.Marker, other.target.Marker = marker, marker+"0"
	end(t, one.target)
	one.gone(t)
	other.alive(t)
	end(t, other.target)
	other.gone(t)
}

// A process that has the pid of one that is gone is a stranger, and so are its
// session and its children.
func TestEndSparesARecycledPid(t *testing.T) {
	is := is.New(t)
	tr := sh(t, `sleep 60 & echo $!; echo ready; wait`)
	for _, start := range []uint64{tr.target.Start - 1, tr.target.Start + 1} {
		end(t, Target{Pid: tr.target.Pid, Start: start})
		tr.alive(t)
		is.Equal(signal(Identity{tr.target.Pid, start}, unix.SIGKILL), unix.ESRCH)
		is.NoErr(Identity{tr.target.Pid, start}.Terminate())
		tr.alive(t)
	}
}

// Whoever carries the marker but is older than the leader was not started by it.
func TestEndSparesItsElders(t *testing.T) {
	marker := newMarker()
	elder := plant(t, marker, "/bin/sh", "-c", "echo ready; exec sleep 60")
	target := Target{Pid: elder.target.Pid, Start: elder.target.Start + 1, Marker: marker}
	end(t, target)
	elder.alive(t)
}

func TestAZombieHasEnded(t *testing.T) {
	tr := sh(t, "exit 0") // not reaped
	eventually(t, "the zombie", func() bool {
		p, ok := lookup(tr.target.Pid)
		return ok && p.zombie
	})
	for name, watch := range watchers {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			w, err := watch(tr.target.Pid)
			is.NoErr(err)
			defer w.Stop()
			wait(t, w)
		})
	}
	end(t, tr.target)
}

func TestWatchRefusesWhatIsNoPid(t *testing.T) {
	is := is.New(t)
	_, err := Watch(-1)
	is.True(err != nil)
}
