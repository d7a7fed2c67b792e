package tmuxctl

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// eachWay runs a benchmark over the control connection and by processes alone.
func eachWay(b *testing.B, run func(b *testing.B, in *instance)) {
	b.Run("control", func(b *testing.B) { run(b, startTestInstance(b)) })
	b.Run("process", func(b *testing.B) {
		in := startTestInstance(b)
		in.control.close()
		run(b, in)
	})
}

func BenchmarkCommand(b *testing.B) {
	eachWay(b, func(b *testing.B, in *instance) {
		for b.Loop() {
			if _, err := in.run(b.Context(), nil, "capture-pane", "-p", "-t", "="+keeper+":"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSession is a session from NewSession to the end of Close. Most of that
// is Close making sure that nothing is left.
func BenchmarkSession(b *testing.B) {
	eachWay(b, func(b *testing.B, in *instance) {
		s := &Server{Tmux: in.tmux, current: in}
		var created time.Duration
		for i := 0; b.Loop(); i++ {
			began := time.Now()
			t, err := s.NewSession(b.Context(), SessionConfig{
				Name:    fmt.Sprint("turn-", i),
				Command: Command{Path: "/bin/sh", Args: []string{"-c", "exec sleep 60"}, Dir: "/", Env: []string{"PATH=/usr/bin:/bin"}},
			})
			if err != nil {
				b.Fatal(err)
			}
			created += time.Since(began)
			if err := t.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(created.Nanoseconds())/float64(b.N), "ns/NewSession")
	})
}

// BenchmarkCloseStubborn is the end of a program that ignores what it can, with
// children that do and have left its session, after a grace of 100 ms.
func BenchmarkCloseStubborn(b *testing.B) {
	const grace = 100 * time.Millisecond
	const stubborn = `trap "" HUP TERM; while :; do sleep 1; done`
	in := startTestInstance(b)
	s := &Server{Tmux: in.tmux, current: in}
	var closed time.Duration
	for i := 0; b.Loop(); i++ {
		t, err := s.NewSession(b.Context(), SessionConfig{
			Name: fmt.Sprint("turn-", i),
			Command: Command{Path: "/bin/sh", Args: []string{"-c", "setsid sh -c '" + stubborn + "' & (setsid sh -c '" + stubborn + "' &); echo up; " + stubborn},
				Dir: "/", Env: []string{"PATH=/usr/bin:/bin"}},
		})
		if err != nil {
			b.Fatal(err)
		}
		for up := ""; !strings.Contains(up, "up"); {
			if up, err = t.Screen(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(b.Context(), grace)
		err = t.Close(ctx)
		cancel()
		if err != nil {
			b.Fatal(err)
		}
		closed += time.Since(began)
	}
	b.ReportMetric(float64(closed.Nanoseconds())/float64(b.N), "ns/Close")
}

// BenchmarkServer is a server's start and end.
func BenchmarkServer(b *testing.B) {
	tmux := startTestInstance(b).tmux
	dir := b.TempDir()
	for b.Loop() {
		in, err := startInstance(b.Context(), tmux, dir, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := in.end(); err != nil {
			b.Fatal(err)
		}
	}
}
