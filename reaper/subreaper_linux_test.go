package reaper_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/reaper"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

func init() {
	role("adopt", playAdopt)
	role("init", playInit)
}

// A family says what a process that may be a subreaper leaves orphaned.
type family struct {
	Subreaper bool
	Tmux      string
	Dir       string
	Runs      int // of commands of its own meanwhile
}

// Orphans are what became of it.
type orphans struct {
	Zombies []reaper.Zombie // those that stayed
	Wrong   []string        // commands of its own that ended otherwise than they should
}

// playAdopt leaves orphans of every kind, has them ended, and meanwhile runs
// commands of its own.
func playAdopt(input []byte) (any, error) {
	var f family
	if err := json.Unmarshal(input, &f); err != nil {
		return nil, err
	}
	l, err := lease.New(context.Background(), f.Dir)
	if err != nil {
		return nil, err
	}
	defer l.Release()
	if f.Subreaper {
		stop, err := reaper.Subreaper()
		if err != nil {
			return nil, err
		}
		defer stop()
	}
	var o orphans
	var all sync.WaitGroup
	wrong := make(chan string, f.Runs+10)
	for worker := range 8 {
		all.Go(func() {
			for i := worker; i < f.Runs; i += 8 {
				if err := ownCommand(l, i); err != nil {
					wrong <- err.Error()
				}
			}
		})
	}

	orphan := "ORPHAN=" + l.ID()

	// A server that nobody waits for, with panes that nobody waits for then.
	socket := filepath.Join(l.Dir(), "s")
	tmux := func(ctx context.Context, args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, f.Tmux, append([]string{"-u", "-f", "/dev/null", "-S", socket}, args...)...)
		cmd.Env, cmd.Dir = shell, "/"
		// As the library's clients are. In this session nobody could tell a process in
		// between, when it has ended before it was seen, from one that this host started.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return cmd.Output()
	}
	for _, name := range []string{"turn-1", "turn-2", "turn-3"} {
		script := "export " + orphan + "; trap '' HUP; sleep 0.3; sleep 0.3"
		if _, err := tmux(context.Background(), "new-session", "-d", "-s", name, "/bin/sh", "-c", script); err != nil {
			return nil, err
		}
	}
	killed, err := reaper.KillServerIfOnlyOurs(context.Background(), tmux, "turn-")
	if err != nil || !killed {
		return nil, fmt.Errorf("killed %v: %w", killed, err)
	}
	// Programs that have left their parent: each is proven in one way alone.
	for script, mark := range map[string]string{
		"sleep 3 & exec sleep 2.5":                            "",             // seen as another's child
		"sleep 0.1 &":                                         "",             // in another's session
		"(setsid sh -c '(exit 3) & exec sleep 3' &)":          l.Mark("turn"), // a zombie when it comes
		"setsid sleep 3 & sleep 0.1":                          l.Mark("turn"), // marked
		"trap '' HUP; setsid sleep 3 & setsid setsid sleep 3": l.Mark("turn"),
	} {
		all.Go(func() {
			cmd := exec.Command("/bin/sh", "-c", script)
			cmd.Env = append(shell[:len(shell):len(shell)], orphan, mark)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: script != "sleep 3 & exec sleep 2.5"}
			if err := cmd.Run(); err != nil {
				wrong <- err.Error()
			}
		})
	}

	all.Wait()
	close(wrong)
	for w := range wrong {
		o.Wrong = append(o.Wrong, w)
	}
	err = retry(func() error { // until all have ended
		left, err := proc.Find(func(entry string) bool { return entry == orphan })
		if len(left) > 0 {
			err = fmt.Errorf("process %d lives", left[0].Pid)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	// The machine's other zombies are nobody's here, a namespace's are.
	parent, patience := os.Getpid(), 10*time.Second
	if os.Getppid() == 1 {
		parent = 0
	}
	if !f.Subreaper {
		patience = 100 * time.Millisecond
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		o.Zombies, err = reaper.Zombies(parent)
		if err != nil || len(o.Zombies) == 0 || time.Now().After(deadline) {
			return o, err
		}
	}
}

// ownCommand runs one command as a host may, and tells if it lost its end. They
// look like what a subreaper is after.
func ownCommand(l *lease.Lease, i int) error {
	cmd := exec.Command("/bin/sh", "-c", "exit 7")
	switch i % 4 {
	case 1: // a session of its own
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	case 2: // a program in a pty, seen before it ends
		cmd = exec.Command("/bin/sh", "-c", "sleep 0.1; exit 7")
		cmd.Env = append(shell[:len(shell):len(shell)], l.Mark("turn-own"))
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	err := cmd.Start()
	if err == nil && i%8 > 4 {
		time.Sleep(1200 * time.Millisecond) // it is a zombie for a while
	}
	if err == nil {
		err = cmd.Wait()
	}
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 7 {
		return nil
	}
	return fmt.Errorf("command %d of the host's own: %v", i, err)
}

// A playInit is a process 1 that waits for its own child and for no other: it
// has one host after the other play adopt, without a subreaper and with one.
func playInit(input []byte) (any, error) {
	var f family
	if err := json.Unmarshal(input, &f); err != nil {
		return nil, err
	}
	if os.Getpid() != 1 {
		return nil, fmt.Errorf("process %d is not 1", os.Getpid())
	}
	// Nobody else is to see this /proc.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return nil, err
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var all []orphans
	for _, f.Subreaper = range []bool{true, false} { // what the second leaves stays
		in, err := json.Marshal(f)
		if err != nil {
			return nil, err
		}
		cmd := exec.Command(self, helperArg, "adopt", string(in))
		cmd.Env = shell
		cmd.Stderr = os.Stderr
		out, err := cmd.Output() // its standard input has ended: it does, too
		var o orphans
		if err == nil {
			err = json.Unmarshal(out, &o)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// Process 1 never reaps. Without a subreaper zombies stay, with it none.
func TestUnderAProcess1ThatDoesNotReap(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	path := tmuxtest.Require(t)
	attr := &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	if uid := os.Getuid(); uid != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	_, out, err := tryStart(t, "init", family{Tmux: path, Dir: tempDir(t), Runs: 8}, attr)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		t.Skipf("no pid namespace can be made here: %v", err)
	}
	is.NoErr(err)
	var got []orphans
	answer(t, out, &got)
	is.Equal(len(got), 2)
	with, without := got[0], got[1]
	for _, o := range got {
		is.Equal(o.Wrong, nil)
	}
	is.Equal(with.Zombies, nil)
	is.True(len(without.Zombies) > 0)
	for _, z := range without.Zombies {
		is.Equal(z.Parent, 1)
		is.True(z.ParentName != "")
	}
	t.Logf("without a subreaper %d zombies stay", len(without.Zombies))
}

// The host's own commands never lose their end.
func TestSubreaperSparesTheHostsOwnCommands(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	runs := 48
	if os.Getenv("TUITURN_LONG") != "" {
		runs = 2000
	}
	_, out := start(t, "adopt", family{Subreaper: true, Tmux: tmuxtest.Require(t), Dir: tempDir(t), Runs: runs}, nil)
	var got orphans
	answer(t, out, &got)
	is.Equal(got.Wrong, nil)
	is.Equal(got.Zombies, nil)
}

func TestOneSubreaperOnly(t *testing.T) {
	is := is.New(t)
	stop, err := reaper.Subreaper()
	is.NoErr(err)
	_, err = reaper.Subreaper()
	is.True(err != nil)
	stop()
	stop()
	again, err := reaper.Subreaper()
	is.NoErr(err)
	stop() // the first one's: it stops nothing more
	_, err = reaper.Subreaper()
	is.True(err != nil)
	again()
}
