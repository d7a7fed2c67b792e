package tmuxctl

import (
	"context"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A program's end and its last output reach tmux in two ways. If a child holds the
// terminal open, the output counts as complete drainDelay after the end was reported.
// A busy server may notice both late.
const (
	drainDelay  = 100 * time.Millisecond
	statusDelay = 2 * time.Second
	statusTick  = 2 * time.Millisecond
)

// paneStatus asks the server how the program of a pane has ended; the program is
// ending already. known is false if the server cannot tell.
//
// A tmux before 3.6 that was built with libutempter misses the SIGCHLD of a
// pane that ends by itself (72 of 100), and then neither reaps it nor knows its
// status. A further SIGCHLD makes it look again: 200 of 200, at most 22 ms.
func (in *instance) paneStatus(ctx context.Context, pane string) (status syscall.WaitStatus, known bool) {
	var told time.Time
	ctx, cancel := in.patient(ctx, statusDelay)
	defer cancel()
	go in.keepAwake(ctx)
	tick := time.NewTicker(statusTick)
	defer tick.Stop()
	for ctx.Err() == nil && !in.gone() {
		out, err := in.run(ctx, nil, "display-message", "-p", "-t", pane,
			"#{pane_dead} #{pane_dead_status} #{pane_dead_signal}")
		if err != nil && noTarget(err) {
			return status, known // the pane is gone, as a tmux before 3.2 has it
		}
		if err == nil { // else the server may be ending
			dead, now, ok := parseStatus(string(out))
			if dead && !ok && !in.can.quietEnd {
				now, ok = in.deathNotice(ctx, pane)
			}
			if !ok {
				in.nudge()
			} else if status = now; !known {
				known, told = true, time.Now()
			}
			if strings.HasPrefix(string(out), " ") || // the pane is gone
				known && (dead || time.Since(told) > drainDelay) {
				return status, known
			}
		}
		<-tick.C
	}
	return status, known
}

// keepAwake wakes the server until ctx ends: somebody may stop it at any moment.
func (in *instance) keepAwake(ctx context.Context) {
	tick := time.NewTicker(drainDelay)
	defer tick.Stop()
	for ctx.Err() == nil {
		in.wake()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// notice begins what a tmux before 3.3 writes over the last row of a pane whose
// program has ended: "Pane is dead (signal 9, Wed Nov 25 08:56:07 2026)". It
// tells the signal nowhere else.
const notice = "Pane is dead ("

func (in *instance) deathNotice(ctx context.Context, pane string) (_ syscall.WaitStatus, known bool) {
	out, err := in.run(ctx, nil, "capture-pane", "-p", "-J", "-t", pane)
	i := strings.LastIndex(string(out), notice+"signal ")
	if err != nil || i < 0 {
		return 0, false
	}
	signal, _, _ := strings.Cut(string(out[i+len(notice+"signal "):]), ",")
	_, status, known := parseStatus("1  " + signal)
	return status, known
}

// lastScreen returns the screen of a program that has ended on such a tmux. The
// notice has moved every row up by one, for which there is room in the history.
func (t *Session) lastScreen(ctx context.Context) (string, error) {
	out, err := t.runAnyway(ctx, nil, "capture-pane", "-p", "-S", "-1", "-t", t.pane)
	rows := strings.SplitAfter(string(out), "\n")
	rows = rows[:len(rows)-1]                                 // what follows the last newline
	for i := len(rows) - 1; i >= 0 && i >= len(rows)-3; i-- { // it may have been broken
		if strings.HasPrefix(rows[i], notice) {
			rows = rows[:i]
			break
		}
	}
	return strings.Join(rows[max(0, len(rows)-t.rows):], ""), err
}

// parseStatus reads "1 7 " (exit status 7) or "1  KILL" (a signal, by name or
// number). dead means that the terminal's output has ended too. A tmux before 3.3
// does not report signals.
func parseStatus(s string) (dead bool, _ syscall.WaitStatus, known bool) {
	f := strings.Split(strings.TrimSuffix(s, "\n"), " ")
	if len(f) != 3 {
		return false, 0, false
	}
	dead = f[0] == "1"
	if code, err := strconv.Atoi(f[1]); err == nil {
		return dead, syscall.WaitStatus(code << 8), true
	}
	sig := unix.SignalNum("SIG" + f[2])
	if n, err := strconv.Atoi(f[2]); err == nil {
		sig = syscall.Signal(n)
	}
	return dead, syscall.WaitStatus(sig), sig > 0
}
