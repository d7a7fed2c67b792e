// Command sweep lists, and with -kill ends, what dead hosts of tuiturn left behind. A
// host is a process that runs turns.
//
//	sweep [flags]
//
// Without -kill it only reports. It prints one line for each thing that belongs to a
// host: a directory with the sockets and FIFOs in it, a process, a tmux server, or a
// session on a shared tmux server. The line begins with a verdict and ends with the
// reason:
//
//	would end  its host has provably ended; -kill ends it
//	ended      -kill has ended it
//	failed     it could not be ended
//	kept       its host runs, or nothing proves that it has ended: it is not touched
//
// What belongs to no host of tuiturn, and other users' directories, are neither listed
// nor touched.
//
// With -json one object is printed for each sweep, on one line. It has error, and
// found, a list of objects with kind, verdict, why and the fields that name the thing.
//
// With -every it sweeps repeatedly until it is interrupted. A Runner sweeps by itself
// (Runner.SweepEvery). Use this command to look, and for hosts that are not started
// again.
//
// The exit status is 0 if nothing is left, 1 if something is left (because -kill was
// not given, or because it could not be ended), 2 for bad usage, and 3 if it was not
// possible to look. With -every it is the status of the last sweep.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/tuiturn/tuiturn/reaper"
)

const (
	statusLeft = 1 + iota
	statusUsage
	statusBlind
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

type options struct {
	dirs       []string
	kill, json bool
	every      time.Duration
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (status int) {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "sweep: bad usage:", err)
		return statusUsage
	}
	sweeper := reaper.Sweeper{
		Config: reaper.SweepConfig{Dirs: o.dirs, DryRun: !o.kill},
		Every:  o.every,
	}
	if o.every == 0 {
		report, err := reaper.Sweep(ctx, sweeper.Config)
		return o.print(stdout, stderr, report, err)
	}
	sweeper.OnReport = func(report reaper.Report, err error) {
		if ctx.Err() != nil && len(report.Found) == 0 {
			return // it was interrupted before it had begun
		}
		if !o.json {
			fmt.Fprintln(stdout, time.Now().Format(time.RFC3339))
		}
		status = o.print(stdout, stderr, report, err)
	}
	sweeper.Run(ctx) // until it is interrupted
	return status
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("sweep", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {
		fmt.Fprintln(stderr, "usage: sweep [flags]")
		fs.SetOutput(stderr)
		fs.PrintDefaults()
	}
	fs.Func("dir", "`DIR` in which hosts make their directories (Runner.TempDir); may be repeated (default "+os.TempDir()+")", func(s string) error {
		if s == "" {
			return errors.New("name a directory")
		}
		o.dirs = append(o.dirs, s)
		return nil
	})
	fs.BoolVar(&o.kill, "kill", false, "end what is listed as \"would end\"")
	fs.BoolVar(&o.json, "json", false, "print one JSON object for each sweep")
	fs.DurationVar(&o.every, "every", 0, "sweep again this long after each sweep, such as 10m")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("%q: sweep takes flags only, see sweep -h", fs.Arg(0))
	case o.every < 0:
		return o, fmt.Errorf("-every %v: give a positive duration such as 10m", o.every)
	}
	return o, nil
}

// print prints a report and returns the exit status for it.
func (o options) print(stdout, stderr io.Writer, report reaper.Report, err error) (status int) {
	left, failed := 0, false
	for _, f := range report.Found {
		if f.Verdict == reaper.WouldEnd || f.Verdict == reaper.Failed {
			left++
		}
		failed = failed || f.Verdict == reaper.Failed
	}
	if o.json {
		line := struct {
			reaper.Report
			Error string `json:"error,omitempty"`
		}{Report: report}
		if err != nil {
			line.Error = err.Error()
		}
		enc := json.NewEncoder(stdout)
		enc.SetEscapeHTML(false)
		enc.Encode(line)
	} else {
		table(stdout, report)
		switch {
		case left > 0 && !o.kill:
			fmt.Fprintf(stdout, "dead hosts have left %d things: sweep -kill ends them\n", left)
		case len(report.Found) == 0 && err == nil:
			fmt.Fprintln(stdout, "nothing found")
		}
		if err != nil {
			fmt.Fprintln(stderr, "sweep:", err)
		}
	}
	switch {
	case err != nil && !failed:
		return statusBlind
	case left > 0:
		return statusLeft
	}
	return 0
}

func table(w io.Writer, report reaper.Report) {
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, f := range report.Found {
		name := f.Path
		switch f.Kind {
		case reaper.Process, reaper.Server:
			name = fmt.Sprintf("%d (%q)", f.Pid, f.Name)
		case reaper.Session:
			name = f.Name + " on " + f.Path
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\n", f.Verdict, f.Kind, name, f.Why)
	}
	tab.Flush()
}
