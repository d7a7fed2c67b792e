package tmuxctl

import (
	"fmt"
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
