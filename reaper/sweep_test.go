package reaper_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/exectest"
	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/reaper"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// A world is what a sweep must leave alone: a private tmux server that is
// somebody's, a shared one with somebody's session, and a host that lives, has
// its own server, and a session on the shared one.
type world struct {
	dir             string // where everybody makes their leases
	private, shared *tmuxtest.Server
	privatePid      int
	live            *host
}

func newWorld(t *testing.T, path string) *world {
	t.Helper()
	w := &world{dir: tempDir(t), private: newServer(t, path), shared: newServer(t, path)}
	w.privatePid = sessions(t, w.private, "turn-1", "work")
	sessions(t, w.shared, "work", "turn")
	w.live = startHost(t, plan{Parent: w.dir, Tmux: path, Shared: w.shared.Socket, Prefix: "turn-2-", Session: sleeps, Programs: []string{sleeps}})
	return w
}

// untouched fails if the sweep touched what it must not. The shared server may
// have the extra sessions besides.
func (w *world) untouched(t *testing.T, extra ...string) {
	t.Helper()
	w.live.whole(t)
	if !alive(w.privatePid) {
		t.Error("a foreign server has ended")
	}
	want := append([]string{"turn", "turn-2-1", "work"}, extra...)
	got := strings.Fields(tmux(t, w.shared, "list-sessions", "-F", "#{session_name}"))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the shared server has the sessions %q instead of %q", got, want)
	}
}

const sleeps = "exec sleep 1000"

// stubborn are programs that tmux's own kill does not end.
var stubborn = []string{
	`trap '' HUP TERM; sleep 1000; sleep 1000`,    // ignores every polite signal, and so does its child
	`(setsid sh -c 'sleep 1000 & sleep 1000' &)`,  // a session of its own, of nobody's children
	`kill -STOP $$; exec sleep 1000`,              // stopped
	`trap '' HUP; env -i /bin/sleep 1000 & wait`,  // a child without an environment
	`cd /; exec setsid -w sh -c 'sleep 1000; : '`, // with a parent that waits
}

func sweep(t *testing.T, cfg reaper.SweepConfig) reaper.Report {
	t.Helper()
	began := time.Now()
	report, err := reaper.Sweep(t.Context(), cfg)
	if err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("the sweep took %v", took)
	}
	return report
}

func TestSweepEndsWhatADeadHostLeft(t *testing.T) {
	t.Parallel()
	eachTmux(t, func(t *testing.T, path string) {
		is := is.New(t)
		w := newWorld(t, path)
		var dead []*host
		// -D, which a server of ours is started with, is new in 3.2.
		if v := tmux(t, w.private, "display-message", "-p", "#{version}"); v > "3.2" {
			dead = append(dead, deadHost(t, plan{Parent: w.dir, Tmux: path, Programs: stubborn}))
		}
		dead = append(dead,
			deadHost(t, plan{Parent: w.dir, Tmux: path, Shared: w.shared.Socket, Prefix: "turn-1-", Session: sleeps, Programs: stubborn[:1]}),
			deadHost(t, plan{Parent: w.dir, Tmux: path, Shared: w.shared.Socket, Prefix: "turn-22-", Session: "exit 1"}))
		w.untouched(t, "turn-1-1", "turn-22-1")

		dry := sweep(t, reaper.SweepConfig{Dirs: []string{w.dir}, DryRun: true})
		w.untouched(t, "turn-1-1", "turn-22-1")
		for _, h := range dead {
			h.whole(t)
		}

		report := sweep(t, reaper.SweepConfig{Dirs: []string{w.dir, w.dir}})
		w.untouched(t)
		for _, h := range dead {
			h.gone(t)
			would, did := lines(dry, h), lines(report, h)
			for i := range would {
				would[i] = strings.Replace(would[i], "would end", "ended", 1)
			}
			is.Equal(would, did)
			t.Log(strings.Join(did, "\n"))
		}
		is.Equal(lines(report, w.live), []string{"kept directory"})

		again := sweep(t, reaper.SweepConfig{Dirs: []string{w.dir}})
		is.Equal(len(again.Found), 1) // the host that lives
		w.untouched(t)
	})
}

// The report says of each thing what it is and why, and nothing of what was in
// its arguments and its environment.
func TestReport(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	path := tmuxtest.Require(t)
	w := newWorld(t, path)
	h := deadHost(t, plan{Parent: w.dir, Tmux: path, Shared: w.shared.Socket, Prefix: "turn-1-", Session: sleeps, Programs: []string{"exec sleep 1234.5"}})
	report := sweep(t, reaper.SweepConfig{Dirs: []string{w.dir}})
	is.Equal(lines(report, h), []string{"ended session turn-1-1", "ended process sleep", "ended process sleep", "ended fifo /fifo", "ended directory"})
	for _, f := range report.Found {
		is.True(f.Why != "")
		if f.Owner == h.ID {
			is.Equal(f.Why, fmt.Sprintf("its host, process %d, has ended", h.cmd.Process.Pid))
			is.True(strings.Contains(f.String(), f.Why))
		}
	}
	data, err := json.Marshal(report)
	is.NoErr(err)
	is.True(!strings.Contains(string(data), "1234.5"))
	is.True(!strings.Contains(string(data), "PATH"))
	var back reaper.Report
	is.NoErr(json.Unmarshal(data, &back))
	is.Equal(back, report)
}

// An agent may start a host, such as the proxy that it works on.
func TestAHostFromATurnOfADeadOneLives(t *testing.T) {
	for _, where := range []string{"its directory", "a process of its"} { // by which it is known
		t.Run("by "+where, func(t *testing.T) {
			is := is.New(t)
			dir, elsewhere := tempDir(t), tempDir(t)
			p := plan{Parent: dir, Heir: true, Programs: []string{sleeps}, Considered: true}
			if where != "its directory" {
				p.Parent = elsewhere
			}
			in, err := json.Marshal(p)
			is.NoErr(err)
			self, err := os.Executable()
			is.NoErr(err)
			said := filepath.Join(elsewhere, "said")
			is.NoErr(syscall.Mkfifo(filepath.Join(elsewhere, "in"), 0o600))
			h := deadHost(t, plan{Parent: dir, Considered: true, Programs: []string{
				fmt.Sprintf("%s %s host '%s' <>%s/in >%s & sleep 1000; :", self, helperArg, in, elsewhere, said)}})
			live := &host{}
			eventually(t, "the second host", func() bool {
				data, _ := os.ReadFile(said)
				return json.Unmarshal(data, live) == nil
			})
			considered.Store(live.ID, true)
			live.endWithTest(t)
			eventually(t, "its programs", func() bool {
				live.programs = identities(t, live.ID)
				return len(live.programs) == 1 && len(carriers(t, h.ID)) == 4 // a shell, sleep; the host, sleep
			})

			for _, dry := range []bool{true, false} {
				report := sweep(t, reaper.SweepConfig{Dirs: []string{dir}, DryRun: dry})
				live.whole(t)
				kept := 0
				for _, f := range report.Found {
					if f.Owner == h.ID && f.Verdict == reaper.Kept {
						is.True(strings.Contains(f.Why, "is a host that runs"))
						kept++
					}
				}
				is.Equal(kept, 2)
				is.Equal(len(lines(report, h)), 6) // the other two, and fifo and directory
			}
			is.Equal(len(carriers(t, h.ID)), 2)
			_, err = os.Lstat(h.Dir)
			is.True(errors.Is(err, os.ErrNotExist))
		})
	}
}

// A cleaner of temporary files may have taken the directory.
func TestOrphansWithoutADirectory(t *testing.T) {
	is := is.New(t)
	dir := tempDir(t)
	h := startHost(t, plan{Parent: dir, Programs: stubborn, Considered: true})
	live := startHost(t, plan{Parent: dir, Programs: stubborn[:1], Considered: true})
	is.NoErr(os.RemoveAll(h.Dir))
	is.NoErr(os.Rename(live.Dir, live.Dir+"-hidden"))
	report := sweep(t, reaper.SweepConfig{Dirs: []string{tempDir(t)}})
	is.True(len(carriers(t, h.ID)) > 0) // its host lives
	for _, line := range lines(report, h) {
		is.True(strings.HasPrefix(line, "kept process"))
	}
	h.kill(t)
	report = sweep(t, reaper.SweepConfig{Dirs: []string{tempDir(t)}})
	is.True(len(lines(report, h)) >= len(stubborn))
	h.gone(t)
	is.NoErr(os.Rename(live.Dir+"-hidden", live.Dir))
	live.whole(t)
}

// Two processes that sweep at once end each thing once.
func TestTwoSweepsAtOnce(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := tempDir(t)
	var hosts []*host
	for range 6 {
		hosts = append(hosts, deadHost(t, plan{Parent: dir, Programs: []string{sleeps}}))
	}
	var reports [2]swept
	var all sync.WaitGroup
	for i := range reports {
		all.Go(func() {
			_, out := start(t, "sweep", reaper.SweepConfig{Dirs: []string{dir}}, nil)
			answer(t, out, &reports[i])
			is.Equal(reports[i].Err, "<nil>")
		})
	}
	all.Wait()
	for _, h := range hosts {
		h.gone(t)
		ended := 0
		for _, r := range reports {
			for _, line := range lines(r.Report, h) {
				switch line {
				case "ended directory":
					ended++
				case "ended fifo /fifo", "ended process sleep", "kept directory":
				default:
					t.Errorf("unexpected: %s", line)
				}
			}
		}
		is.Equal(ended, 1)
	}
	both := slices.Concat(reports[0].Report.Found, reports[1].Report.Found)
	processes := 0
	for _, f := range both {
		ours := slices.ContainsFunc(hosts, func(h *host) bool { return h.ID == f.Owner })
		if ours && f.Kind == reaper.Process && f.Verdict == reaper.Ended {
			processes++
		}
	}
	is.Equal(processes, len(hosts))
}

// Leases come and go while sweeps run all the time.
func TestHostsThatStartMeanwhile(t *testing.T) {
	is := is.New(t)
	dir := tempDir(t)
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	swept := 0
	all.Go(func() {
		for ctx.Err() == nil {
			report, err := reaper.Sweep(t.Context(), reaper.SweepConfig{Dirs: []string{dir}})
			if err != nil {
				t.Error(err)
			}
			for _, f := range report.Found {
				if f.Verdict != reaper.Kept {
					t.Error(f)
				}
			}
			swept++
		}
	})
	for range 3 {
		h := startHost(t, plan{Parent: dir, Programs: []string{sleeps}, Considered: true})
		for range 30 {
			l, err := lease.New(t.Context(), dir)
			is.NoErr(err)
			is.NoErr(os.WriteFile(filepath.Join(l.Dir(), "file"), nil, 0o600))
			is.NoErr(l.Release())
		}
		h.whole(t)
	}
	stop()
	all.Wait()
	t.Logf("%d sweeps", swept)
}

// The guardian of a dead host and a sweep may be at the same things.
func TestSweepAndGuardian(t *testing.T) {
	dir := tempDir(t)
	h := startHost(t, plan{Parent: dir, Programs: stubborn, Guarded: true, Considered: true})
	if len(h.Guardians) == 0 {
		t.Skip("leases have no guardian here")
	}
	h.kill(t)
	for range 3 {
		sweep(t, reaper.SweepConfig{Dirs: []string{dir}})
	}
	eventually(t, "the guardian", func() bool { _, err := os.Lstat(h.Dir); return err != nil })
	h.gone(t)
}

// What is not provably a dead lease stays.
func TestWhatIsNobodysStays(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := tempDir(t)
	make := func(name, content string, mode os.FileMode) {
		t.Helper()
		is.NoErr(os.Mkdir(filepath.Join(dir, name), 0o700))
		if content != "" {
			is.NoErr(os.WriteFile(filepath.Join(dir, name, "lease"), []byte(content), 0o600))
		}
		is.NoErr(os.Chmod(filepath.Join(dir, name), mode))
	}
	dead := deadHost(t, plan{Parent: dir})
	content, err := os.ReadFile(filepath.Join(dead.Dir, "lease"))
	is.NoErr(err)
	make("tuiturn-open", string(content), 0o755)
	make("tuiturn-young", "", 0o700)
	make("tuiturn-broken", "{", 0o700)
	make("tuiturn-strange", `{"id":"1.2.3.4.5"}`, 0o700)
	make("other-lease", string(content), 0o700)
	is.NoErr(os.Mkdir(filepath.Join(dir, "tuiturn-full"), 0o700))
	is.NoErr(os.WriteFile(filepath.Join(dir, "tuiturn-full", "file"), nil, 0o600))
	outside := tempDir(t)
	is.NoErr(os.WriteFile(filepath.Join(outside, "lease"), content, 0o600))
	is.NoErr(os.Symlink(outside, filepath.Join(dir, "tuiturn-link")))
	is.NoErr(os.WriteFile(filepath.Join(dir, "tuiturn-file"), nil, 0o600))
	is.NoErr(os.Symlink(outside, filepath.Join(dead.Dir, "link"))) // what it points to is not in it
	old := filepath.Join(dir, "tuiturn-old")
	is.NoErr(os.Mkdir(old, 0o700))
	is.NoErr(os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour)))

	report := sweep(t, reaper.SweepConfig{Dirs: []string{dir, filepath.Join(dir, "none")}})
	dead.gone(t)
	_, err = os.Stat(old)
	is.True(errors.Is(err, os.ErrNotExist)) // empty, and old
	for _, name := range []string{"tuiturn-open", "tuiturn-young", "tuiturn-broken", "tuiturn-strange", "other-lease", "tuiturn-full/file", "tuiturn-link/lease", "tuiturn-file"} {
		_, err := os.Stat(filepath.Join(dir, name))
		is.NoErr(err)
	}
	for _, f := range report.Found {
		is.True(f.Why != "")
		t.Log(strings.ReplaceAll(f.String(), dir, ""))
	}
}

// A program of another lease whose command names a file of the dead one's.
func TestAPaneOfAnotherLeaseStays(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	path := tmuxtest.Require(t)
	w := newWorld(t, path)
	h := deadHost(t, plan{Parent: w.dir, Tmux: path, Shared: w.shared.Socket, Prefix: "turn-1-", Session: sleeps})
	mark := carriers(t, w.live.ID)[0].Entry
	tmux(t, w.shared, "new-session", "-d", "-s", "turn-1-2", "/usr/bin/env", "-i", mark, "/bin/sleep", "1000")
	tmux(t, w.shared, "new-session", "-d", "-s", "turn-1-3", "/usr/bin/env", "-i", mark, "/bin/sh", "-c", sleeps, h.Dir+"/env-1")
	eventually(t, "the programs", func() bool { return len(carriers(t, w.live.ID)) == len(w.live.programs)+2 })
	w.live.programs = identities(t, w.live.ID)
	report := sweep(t, reaper.SweepConfig{Dirs: []string{w.dir}})
	h.gone(t)
	w.untouched(t, "turn-1-2", "turn-1-3")
	is.True(slices.Contains(lines(report, w.live), "kept session turn-1-3"))
	is.Equal(len(lines(report, w.live)), 2) // that, and its directory
}

// People may do with our sessions on their server what they like.
func TestWhatPeopleDoWithASharedSession(t *testing.T) {
	t.Parallel()
	const ours, work = "=turn-1-1", "work"
	for name, c := range map[string]struct {
		commands [][]string
		ended    string // the session that the report names
		left     string // "session:window" of each that stays
	}{
		"nothing":         {nil, "turn-1-1", "work:own"},
		"renamed":         {[][]string{{"rename-session", "-t", ours, "mine"}}, "mine", "work:own"},
		"renamed oddly":   {[][]string{{"rename-session", "-t", ours, "a b"}}, "a b", "work:own"},
		"looked on":       {[][]string{{"new-session", "-d", "-t", ours}}, "turn-1-1", "work:own"},
		"moved":           {[][]string{{"move-window", "-s", ours + ":0", "-t", work + ":7"}}, "work", "work:own"},
		"linked":          {[][]string{{"link-window", "-s", ours + ":0", "-t", work + ":7"}}, "turn-1-1", "work:own"},
		"joined":          {[][]string{{"join-pane", "-d", "-s", ours + ":0.0", "-t", work + ":0.0"}}, "work", "work:own"},
		"named like ours": {[][]string{{"new-session", "-d", "-s", "turn-1-9", "-n", "own", "sleep 1000"}}, "turn-1-1", "turn-1-9:own work:own"},
		"a window of their own": {[][]string{
			{"new-session", "-d", "-t", ours, "-s", "look"},
			{"new-window", "-d", "-t", "=look:", "-n", "own", "sleep 1000"},
		}, "look", "look:own turn-1-1:own work:own"}, // a group has its windows in common
		"a pane of their own": {[][]string{{"split-window", "-d", "-t", ours + ":0", "sleep 1000"}, {"rename-window", "-t", ours + ":0", "own"}},
			"turn-1-1", "turn-1-1:own work:own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachTmux(t, func(t *testing.T, path string) {
				is := is.New(t)
				dir, s := tempDir(t), newServer(t, path)
				tmux(t, s, "new-session", "-d", "-s", work, "-n", "own", "sleep 1000")
				h := deadHost(t, plan{Parent: dir, Tmux: path, Shared: s.Socket, Prefix: "turn-1-", Session: sleeps})
				for _, command := range c.commands {
					tmux(t, s, command...)
				}
				report := sweep(t, reaper.SweepConfig{Dirs: []string{dir}})
				h.gone(t)
				is.Equal(lines(report, h)[0], "ended session "+c.ended)
				is.Equal(strings.Count(strings.Join(lines(report, h), "\n"), "session"), 1) // one pane, however often listed
				is.Equal(strings.Join(strings.Fields(tmux(t, s, "list-panes", "-a", "-F", "#{session_name}:#{window_name}")), " "), c.left)
			})
		})
	}
}

// Between the look and the end another server may take the socket, with panes of
// the same ids.
func TestAPaneOfAnotherServerStays(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	path := tmuxtest.Require(t)
	dir, s := tempDir(t), newServer(t, path)
	sessions(t, s, "work")
	// A tmux that does it in the moment in between. A session that is made while
	// the old server still ends may be lost with it.
	between := filepath.Join(dir, "tmux")
	script := fmt.Sprintf("#!/bin/sh\ntmux='%s -u -f /dev/null -S %s'\ncase \"$*\" in *if-shell*) $tmux kill-server\n", path, s.Socket) +
		"while $tmux has-session; do :; done\n" +
		"until $tmux has-session -t =turn-1-1; do $tmux new-session -d -s work sleep 1000 \\; new-session -d -s turn-1-1 sleep 1000; done\n" +
		"esac 2>/dev/null >&2\nexec " + path + ` "$@"` + "\n"
	exectest.Write(t, between, script)
	h := deadHost(t, plan{Parent: dir, Tmux: between, Shared: s.Socket, Prefix: "turn-1-", Session: sleeps})
	was := tmux(t, s, "list-panes", "-a", "-F", "#{pane_id} #{session_name}")
	report := sweep(t, reaper.SweepConfig{Dirs: []string{dir}})
	h.gone(t)
	is.True(slices.Contains(lines(report, h), "kept session turn-1-1"))
	is.Equal(tmux(t, s, "list-panes", "-a", "-F", "#{pane_id} #{session_name}"), was) // and yet not the same
}

// A shared server that was stopped answers nobody: what can be ended is, and the
// lease stays for the next sweep.
func TestAServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	path := tmuxtest.Require(t)
	dir, s := tempDir(t), newServer(t, path)
	pid := sessions(t, s, "work")
	h := deadHost(t, plan{Parent: dir, Tmux: path, Shared: s.Socket, Prefix: "turn-1-", Session: sleeps, Programs: []string{sleeps}})
	is.NoErr(syscall.Kill(pid, syscall.SIGSTOP))
	defer syscall.Kill(pid, syscall.SIGCONT)
	report, err := reaper.Sweep(t.Context(), reaper.SweepConfig{Dirs: []string{dir}})
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "does not answer"))
	is.Equal(len(carriers(t, h.ID)), 0)
	is.True(slices.Contains(lines(report, h), "failed directory"))
	is.NoErr(syscall.Kill(pid, syscall.SIGCONT))
	sweep(t, reaper.SweepConfig{Dirs: []string{dir}})
	h.gone(t)
	is.Equal(tmux(t, s, "list-sessions", "-F", "#{session_name}"), "work\n")
}

// The shared server went by itself, with its last session or before.
func TestAServerThatIsGone(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	path := tmuxtest.Require(t)
	dir, s := tempDir(t), newServer(t, path)
	one := deadHost(t, plan{Parent: dir, Tmux: path, Shared: s.Socket, Prefix: "turn-1-", Session: sleeps})
	var pid int
	_, err := fmt.Sscan(tmux(t, s, "display-message", "-p", "#{pid}"), &pid)
	is.NoErr(err)
	sweep(t, reaper.SweepConfig{Dirs: []string{dir}})
	one.gone(t)
	eventually(t, "the server's end", func() bool { return !alive(pid) })

	two := deadHost(t, plan{Parent: dir, Tmux: path, Shared: s.Socket, Prefix: "turn-2-", Session: sleeps})
	tmux(t, s, "kill-server")
	sweep(t, reaper.SweepConfig{Dirs: []string{dir}})
	two.gone(t)
}

func TestSweepStopsWithItsContext(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := tempDir(t)
	h := deadHost(t, plan{Parent: dir, Programs: []string{sleeps}})
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	_, err := reaper.Sweep(ctx, reaper.SweepConfig{Dirs: []string{dir}})
	is.True(errors.Is(err, cause))
	h.whole(t)
}
