package proc

import (
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// carriers are the living processes that carry marker.
func carriers(t *testing.T, marker string) []Carrier {
	t.Helper()
	found, err := Find(exactly(marker))
	if err != nil {
		t.Fatal(err)
	}
	return found
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
		"a stopped tree":               {script(`(sleep 60 & echo $!; kill -STOP $!; setsid sleep 60 & echo $!; kill -STOP $!; wait) & echo $!; sleep 0.1; kill -STOP $!; echo ready; kill -STOP $$`), true},
		"a child without environment":  {script(`env -i sleep 60 & echo $!; echo ready; wait`), false},
		"a detached one without":       {script(`setsid env -i sleep 60 & echo $!; echo ready; wait`), false},
		"a daemon":                     {script(`setsid sh -c 'sleep 60 & echo $!'; echo ready; exec sleep 60`), false},
		"a daemon of nobody":           {script(`setsid sh -c 'sleep 60 & echo $!'; echo ready`), false},
		"a process without its head":   {[]string{self, helperArg, "headless"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marker := newMarker()
			tr := plant(t, marker, c.words...)
			if !c.unmarked {
				tr.target.Match = exactly(marker)
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
		while [ $i -lt 500 ]; do i=$((i+1)); sleep 60 & [ $i = 20 ] && echo ready; done; wait`)
	tr.target.Match = exactly(marker)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	is.NoErr(End(ctx, tr.target))
	tr.gone(t)
	is.Equal(len(carriers(t, marker)), 0)
}

// A chain of programs, each of which starts the next in a session of its own
// and ends, some 3 ms long each: there is never one for longer than a look
// takes. It breaks off by itself after 10 s.
func TestEndOutrunsAChain(t *testing.T) {
	is := is.New(t)
	const link = `trap '' HUP TERM; [ $(date +%s) -lt $2 ] && setsid sh -c "$1" sh "$1" "$2" &`
	// Each of them has the FIFO open: its end is the end of the chain.
	path := t.TempDir() + "/fifo"
	is.NoErr(unix.Mkfifo(path, 0o600))
	chain, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	is.NoErr(err)
	defer chain.Close()
	marker := newMarker()
	tr := plant(t, marker, "/bin/sh", "-c",
		`exec 9>"$2"; setsid sh -c "$1" sh "$1" $(($(date +%s) + 10)) & echo ready; exec sleep 60`, "sh", link, path)
	tr.target.Match = exactly(marker)
	end(t, tr.target)
	tr.gone(t)
	chain.SetReadDeadline(time.Now().Add(2 * time.Second))
	_, err = chain.Read(make([]byte, 1))
	is.Equal(err, io.EOF) // else it goes on
}

// Whoever looks for leftovers has a marker only: the program that led them is
// long gone. One match serves for several markers.
func TestEndByMarkerAlone(t *testing.T) {
	is := is.New(t)
	self, err := os.Executable()
	is.NoErr(err)
	lease := newMarker()
	forest := []*tree{
		plant(t, lease+".1", "/bin/sh", "-c", `sleep 60 & echo $!; echo ready; wait`),
		plant(t, lease+".2", "/bin/sh", "-c", `setsid sh -c 'sleep 60 & echo $!'; env -i setsid sleep 60 & echo $!; echo ready; wait`),
		plant(t, lease+".3", self, helperArg, "headless"),
	}
	orphan := plant(t, lease+".4", "/bin/sh", "-c", `setsid sh -c 'trap "" HUP TERM; sleep 60 & echo $!'; echo ready`)
	is.NoErr(orphan.cmd.Wait())
	other := plant(t, lease+"0.1", "/bin/sh", "-c", `sleep 60 & echo $!; echo ready; wait`)

	end(t, Target{Match: func(entry string) bool { return strings.HasPrefix(entry, lease+".") }})
	for _, tr := range append(forest, orphan) {
		tr.gone(t)
	}
	other.alive(t)
}

func TestEndOfManyAtOnce(t *testing.T) {
	var doomed, spared []*tree
	for i := range 16 {
		marker := newMarker()
		tr := plant(t, marker, "/bin/sh", "-c", `setsid sh -c 'sleep 60 & echo $!'; sleep 60 & echo $!; echo ready; wait`)
		tr.target.Match = exactly(marker)
		if i%2 == 0 {
			doomed = append(doomed, tr)
		} else {
			spared = append(spared, tr)
		}
	}
	var all sync.WaitGroup
	for _, tr := range doomed {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), grace)
			defer cancel()
			if err := End(ctx, tr.target); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, tr := range doomed {
		tr.gone(t)
	}
	for _, tr := range spared {
		tr.alive(t)
	}
}

// One that ends what it was itself started with, and its parent, too.
func TestEndSparesItself(t *testing.T) {
	is := is.New(t)
	self, err := os.Executable()
	is.NoErr(err)
	tr := plant(t, newMarker(), "/bin/sh", "-c",
		`sleep 60 & echo $!; "$0" `+helperArg+` end-all || exit; echo ready; exec sleep 60`, self)
	child := tr.children[0]
	tr.children = nil
	tr.alive(t)
	(&tree{target: Target{Identity: child}}).gone(t)
}

func TestEndKeepsToItsTree(t *testing.T) {
	const script = `setsid sh -c 'sleep 60 & echo $!'; sleep 60 & echo $!; echo ready; wait`
	marker := newMarker()
	one := plant(t, marker, "/bin/sh", "-c", script)
	other := plant(t, marker+"0", "/bin/sh", "-c", script)
	one.target.Match, other.target.Match = exactly(marker), exactly(marker+"0")
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
		stale := Identity{tr.target.Pid, start}
		is.NoErr(End(t.Context(), Target{Identity: stale})) // at once: it has no deadline to wait for
		tr.alive(t)
		is.Equal(signal(stale, unix.SIGKILL), unix.ESRCH)
		is.NoErr(stale.Terminate())
		tr.alive(t)
	}
}

// Whoever carries the marker but is older than the target is not a part of it.
func TestEndSparesItsElders(t *testing.T) {
	marker := newMarker()
	elder := plant(t, marker, "/bin/sh", "-c", "echo ready; exec sleep 60")
	for _, pid := range []int{elder.target.Pid, 0} {
		end(t, Target{Identity: Identity{pid, elder.target.Start + 1}, Match: exactly(marker)})
		elder.alive(t)
	}
}

func TestAZombieHasEnded(t *testing.T) {
	tr := sh(t, "exit 0") // not reaped
	eventually(t, "the zombie", func() bool {
		p, err := lookup(tr.target.Pid)
		return err == nil && p.Zombie
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
