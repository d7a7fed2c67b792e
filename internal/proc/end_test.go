package proc

import (
	"context"
	"errors"
	"os"
	ossignal "os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// grace is the time that programs of these tests get before they are killed.
const grace = 200 * time.Millisecond

func end(t *testing.T, target Target) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), grace)
	defer cancel()
	began := time.Now()
	if err := End(ctx, target); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("End took %v", took)
	}
}

func TestEndIsAsPoliteAsItCanBe(t *testing.T) {
	// Under nohup children inherit that a hang-up is ignored, unless it is not.
	hangUps := make(chan os.Signal, 1)
	ossignal.Notify(hangUps, syscall.SIGHUP)
	t.Cleanup(func() { ossignal.Stop(hangUps) })
	for name, c := range map[string]struct {
		script string
		before syscall.Signal
		want   syscall.Signal
	}{
		"plain":             {"echo ready; exec sleep 60", 0, syscall.SIGHUP},
		"ignores HUP":       {"trap '' HUP; echo ready; exec sleep 60", 0, syscall.SIGTERM},
		"ignores both":      {"trap '' HUP TERM; echo ready; exec sleep 60", 0, syscall.SIGKILL},
		"stopped":           {"echo ready; exec sleep 60", syscall.SIGSTOP, syscall.SIGHUP},
		"stopped, stubborn": {"trap '' HUP TERM; echo ready; exec sleep 60", syscall.SIGSTOP, syscall.SIGKILL},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			t.Parallel()
			tr := sh(t, c.script)
			if c.before != 0 {
				is.NoErr(tr.cmd.Process.Signal(c.before))
			}
			reaped := make(chan struct{})
			go func() {
				tr.cmd.Wait()
				close(reaped)
			}()
			// SIGTERM comes half-way, and SIGKILL at the end: on a busy machine a program
			// that is to obey needs more than grace for that.
			patience := map[syscall.Signal]time.Duration{syscall.SIGHUP: time.Minute, syscall.SIGTERM: 10 * time.Second, syscall.SIGKILL: grace}[c.want]
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			is.NoErr(End(ctx, tr.target))
			<-reaped
			is.Equal(tr.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), c.want)
		})
	}
}

func TestEndKillsAtOnceWhenItsContextHasEnded(t *testing.T) {
	is := is.New(t)
	tr := sh(t, "echo ready; exec sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	is.NoErr(End(ctx, tr.target))
	tr.cmd.Wait()
	is.Equal(tr.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), syscall.SIGKILL) // not HUP first
}

func TestEndWaitsForAsLongAsItsContext(t *testing.T) {
	is := is.New(t)
	tr := sh(t, "trap '' HUP TERM; echo ready; exec sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- End(ctx, tr.target) }()
	select {
	case err := <-ended:
		t.Fatalf("End returned before anything had ended: %v", err)
	case <-time.After(grace):
	}
	tr.alive(t)
	go tr.cmd.Process.Wait()
	cancel()
	is.NoErr(<-ended)
	tr.gone(t)
}

func TestEndOfNothing(t *testing.T) {
	is := is.New(t)
	tr := sh(t, "exit 0")
	is.NoErr(tr.cmd.Wait())
	is.NoErr(End(t.Context(), tr.target))
	is.NoErr(End(t.Context(), Target{Identity: Identity{Pid: tr.target.Pid}}))
}

func TestEndRefusesWhatIsNobodys(t *testing.T) {
	for _, pid := range []int{-1, 0, 1, os.Getpid()} {
		is := is.New(t)
		err := End(t.Context(), Target{Identity: Identify(pid)})
		is.True(err != nil && strings.Contains(err.Error(), "must not be ended"))
	}
}

func TestSurvivorsAreNamed(t *testing.T) {
	is := is.New(t)
	refused, stuck := Identity{4711, 1}, Identity{4712, 2}
	h := hunt{found: map[Identity]*attempt{
		refused: {sent: unix.SIGKILL, err: unix.EPERM},
		stuck:   {sent: unix.SIGKILL},
	}}
	err := h.survivors([]Process{{Identity: refused, Name: "sudo"}, {Identity: stuck, Name: "dd\n"}})
	is.True(errors.Is(err, unix.EPERM))
	is.True(strings.Contains(err.Error(), `process 4711 ("sudo") survived: operation not permitted`))
	is.True(strings.Contains(err.Error(), `process 4712 ("dd\n") survived: SIGKILL sent`))
}

// With signal 0, in case they are not refused.
func TestNobodySignalsInitOrItself(t *testing.T) {
	is := is.New(t)
	for _, pid := range []int{1, os.Getpid(), 0, -1} {
		is.Equal(signal(Identify(pid), 0), unix.EINVAL)
	}
}
