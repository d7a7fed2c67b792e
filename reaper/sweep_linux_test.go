package reaper_test

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn/reaper"
)

func init() { role("feeble sweep", playFeebleSweep) }

// playFeebleSweep is a sweep of root's that may see every process and kill its
// own alone.
func playFeebleSweep(input []byte) (any, error) {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_KILL, 0, 0, 0); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return nil, syscall.Exec(self, []string{self, helperArg, "sweep", string(input)}, shell)
}

// Without a directory of this user's nothing says whose they are.
func TestAnotherUsersOrphansStay(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can start a program as another user")
	}
	is := is.New(t)
	dir := tempDir(t)
	const nobody = 65534
	theirs := deadHost(t, plan{Parent: dir, Programs: stubborn[:2], User: nobody, Considered: true})
	ours := deadHost(t, plan{Parent: dir, Programs: []string{sleeps}, Considered: true})
	is.NoErr(os.RemoveAll(theirs.Dir))
	is.NoErr(os.RemoveAll(ours.Dir))
	report := sweep(t, reaper.SweepConfig{Dirs: []string{tempDir(t)}})
	ours.gone(t)
	is.Equal(identities(t, theirs.ID), theirs.programs)
	for _, f := range report.Found {
		if f.Owner == theirs.ID {
			is.Equal(f.Verdict, reaper.Kept)
			is.Equal(f.Why, "it belongs to user 65534")
		}
	}
}

func TestAProcessThatMayNotBeEnded(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can start a program as another user")
	}
	is := is.New(t)
	dir := tempDir(t)
	is.NoErr(os.Chmod(dir, 0o755))
	const nobody = 65534
	theirs := deadHost(t, plan{Parent: dir, Programs: []string{sleeps}, User: nobody})
	ours := deadHost(t, plan{Parent: dir, Programs: []string{sleeps}})

	_, out := start(t, "feeble sweep", reaper.SweepConfig{Dirs: []string{dir}}, nil)
	var got swept
	answer(t, out, &got)
	is.True(strings.Contains(got.Err, "not permitted"))
	is.Equal(lines(got.Report, theirs), []string{"failed process sleep", "failed fifo /fifo", "failed directory"})
	is.Equal(strings.Count(got.Err, "*"), 1) // the process is what failed
	for _, f := range got.Report.Found {
		if f.Verdict == reaper.Failed {
			t.Log(f)
			is.Equal(f.Kind == reaper.Process, strings.Contains(f.Why, "not permitted"))
		}
	}
	theirs.whole(t) // as it was, for the next sweep
	ours.gone(t)

	report := sweep(t, reaper.SweepConfig{Dirs: []string{dir}})
	is.True(slices.Contains(lines(report, theirs), "ended process sleep"))
	theirs.gone(t)
}
