package reaper_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"

	"github.com/tuiturn/tuiturn/reaper"
)

// A host has its sessions, "proxy-1", "proxy-2" and so on, on a tmux server that
// the user may use too.
func ExampleKillServerIfOnlyOurs() {
	tmux := func(ctx context.Context, args ...string) ([]byte, error) {
		return exec.CommandContext(ctx, "tmux", append([]string{"-S", "/run/proxy/tmux"}, args...)...).Output()
	}
	killed, err := reaper.KillServerIfOnlyOurs(context.Background(), tmux, "proxy-")
	switch {
	case err != nil:
		slog.Warn("the server stays", "error", err)
	case killed:
		slog.Info("the server and its zombies are gone")
	}
}

// What would a sweep end? Nothing is left in a directory in which nobody has
// made anything.
func ExampleSweep() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	report, err := reaper.Sweep(context.Background(), reaper.SweepConfig{Dirs: []string{dir}, DryRun: true})
	if err != nil {
		panic(err)
	}
	for _, f := range report.Found {
		if f.Verdict == reaper.WouldEnd {
			fmt.Println(f) // directory /tmp/tuiturn-123: would end: its host, process 4711, has ended
		}
	}
	fmt.Println("ok")
	// Output: ok
}

// A server for months: it sweeps while it has nothing else to do, and adopts and
// reaps what its turns leave where process 1 does not.
func ExampleSweeper() {
	stop, err := reaper.Subreaper()
	switch {
	case err == nil:
		defer stop()
	case !errors.Is(err, errors.ErrUnsupported):
		slog.Warn("zombies may stay", "error", err)
	}

	sweeper := &reaper.Sweeper{Config: reaper.SweepConfig{Log: slog.Default()}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go sweeper.Run(ctx)

	turn := func(ctx context.Context) error {
		done, err := sweeper.Busy(ctx)
		if err != nil {
			return err
		}
		defer done()
		return nil // here a turn runs, and no sweep
	}
	if err := turn(ctx); err != nil {
		slog.Warn("no turn", "error", err)
	}
}

// Whose fault are the defunct processes?
func ExampleZombies() {
	zombies, err := reaper.Zombies(0)
	if err != nil {
		slog.Warn("no zombies are found here", "error", err)
	}
	parents := map[string]int{}
	for _, z := range zombies {
		parents[fmt.Sprintf("%d (%s)", z.Parent, z.ParentName)]++
	}
	for parent, n := range parents {
		slog.Info("defunct children", "parent", parent, "number", n)
	}
}
