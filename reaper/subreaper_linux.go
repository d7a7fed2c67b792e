package reaper

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/internal/proc"
)

// lookEvery is how often the process table is read to find out each process's parent,
// also when no child has ended.
const lookEvery = time.Second

// subreap runs a subreaper until stop is called.
func subreap() (stop func(), err error) {
	s := &subreaper{pid: os.Getpid()}
	if s.session, err = unix.Getsid(0); err != nil {
		return nil, err
	}
	if _, ok := proc.StartTime(s.pid); !ok {
		return nil, errors.New("this process is not in the process table: mount /proc")
	}
	// A subreaper is safe only if it can wait by pidfd (Linux 5.4 and later). This
	// process is not its own child, so that waiting for it must fail with ECHILD.
	fd, err := unix.PidfdOpen(s.pid, 0)
	if err == nil {
		err = unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOHANG, nil)
		unix.Close(fd)
	}
	if !errors.Is(err, unix.ECHILD) {
		return nil, fmt.Errorf("waiting by pidfd: %w: %w", errors.ErrUnsupported, err)
	}

	// Another part of the program, or its parent, may have set the flag.
	var before int32
	if err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&before)), 0, 0, 0); err != nil {
		return nil, fmt.Errorf("prctl: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("prctl: %w", err)
	}
	// SIGCHLD also arrives for an inherited zombie. It only triggers a look.
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	current.Store(s)
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		s.run(died, quit)
	}()
	return func() {
		close(quit)
		<-gone
		current.Store(nil)
		signal.Stop(died)
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, uintptr(before), 0, 0, 0)
	}, nil
}

// current is the active subreaper, or nil.
var current atomic.Pointer[subreaper]

// observe is called before processes are ended: their children can be seen as theirs now,
// and are orphans in a moment. known are processes that this process has not started, or
// on which it holds a handle.
func observe(known ...proc.Identity) {
	if s := current.Load(); s != nil {
		s.look(known...)
	}
}

type subreaper struct {
	pid     int
	session int

	// adopted are the processes that this process has provably not started. Processes
	// with another parent are among them.
	mu      sync.Mutex
	adopted map[proc.Identity]bool
}

func (s *subreaper) run(died <-chan os.Signal, quit <-chan struct{}) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		began := time.Now()
		s.look()
		// A host that runs many commands of its own has many SIGCHLD. A look
		// takes 10 µs for each process of the machine; however many there are,
		// looking takes a twentieth of a core, or less.
		select {
		case <-time.After(min(max(10*time.Millisecond, 19*time.Since(began)), lookEvery)):
		case <-quit:
			s.look()
			return
		}
		select {
		case <-died:
		case <-tick.C:
		case <-quit:
			s.look()
			return
		}
	}
}

// look reads the process table, records which processes are adopted, and reaps the adopted
// zombies.
func (s *subreaper) look(known ...proc.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := proc.All()
	if err != nil {
		return // until the next look
	}
	adopted := make(map[proc.Identity]bool, len(all))
	var zombies []proc.Identity
	for _, p := range all {
		if p.Parent != s.pid || s.adopted[p.Identity] || s.provenAdopted(p) || slices.Contains(known, p.Identity) {
			adopted[p.Identity] = true
			if p.Parent == s.pid && p.Zombie {
				zombies = append(zombies, p.Identity)
			}
		}
	}
	s.adopted = adopted
	if len(zombies) == 0 {
		return
	}
	held, err := held()
	if err != nil {
		return
	}
	for _, id := range zombies {
		if !held[id.Pid] {
			reap(id)
		}
	}
}

// provenAdopted tells whether this process can't have started p, a child that was never
// seen with another parent.
func (s *subreaper) provenAdopted(p proc.Process) bool {
	if p.Session() != s.session && p.Session() != p.Pid {
		return true // a fork inherits its parent's session
	}
	// A leader of a session may be a program that this process runs in a pty, or its
	// tmux server. But then this process holds a handle on it.
	return !p.Zombie && p.Carries(func(entry string) bool {
		_, _, ok := lease.ParseMark(entry)
		return ok
	})
}

// held returns the processes of which this process holds a pidfd. os/exec opens a pidfd
// for each child that it starts, and closes it after it has waited for the child.
func held() (map[int]bool, error) {
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil || len(files) == 0 {
		return nil, errors.New("no descriptors are listed: mount /proc")
	}
	held := map[int]bool{}
	for _, file := range files {
		info, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // closed meanwhile
		}
		if err != nil {
			return nil, err
		}
		_, after, ok := bytes.Cut(info, []byte("\nPid:\t"))
		var pid int
		if _, err := fmt.Sscan(string(after), &pid); ok && err == nil {
			held[pid] = true
		}
	}
	return held, nil
}

// reap waits for the ended child id and for no other process. The pidfd refers to the
// process that has the pid now, and the start time tells whether that process is id.
func reap(id proc.Identity) {
	fd, err := unix.PidfdOpen(id.Pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if proc.Identify(id.Pid) == id {
		unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOHANG, nil)
	}
}
