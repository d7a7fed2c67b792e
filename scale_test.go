package tuiturn

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// BenchmarkTurns is what a turn costs with an agent that does nothing: one after
// the other, and 200 at once. It reports the median of their times, and the
// turns that were lost.
func BenchmarkTurns(b *testing.B) {
	for _, kind := range []TerminalKind{Tmux, Pty} {
		for _, atOnce := range []int{1, 200} {
			b.Run(fmt.Sprintf("%s/%d", kind, atOnce), func(b *testing.B) {
				if kind == Tmux {
					tmuxtest.Require(b)
				}
				s := newStage(b, kind, fakeagent.Script{})
				s.SweepEvery = -1
				var mu sync.Mutex
				var times []time.Duration
				lost := 0
				for b.Loop() {
					var all sync.WaitGroup
					for i := range atOnce {
						all.Go(func() {
							prompt := fmt.Sprint("number ", i)
							res, err := s.Turn(context.Background(), Request{Prompt: prompt, WorkDir: s.work})
							mu.Lock()
							defer mu.Unlock()
							times = append(times, res.Timings.Total)
							if err != nil || res.Text != "You said: "+prompt {
								b.Log(err)
								lost++
							}
						})
					}
					all.Wait()
				}
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(lost), "lost")
			})
		}
	}
}

// TestManyTurns runs turns for long and looks at what the process has gathered:
// 10,000 with TUITURN_LONG, else 40.
func TestManyTurns(t *testing.T) {
	turns := 40
	if os.Getenv("TUITURN_LONG") != "" {
		turns = 10_000
	}
	for _, kind := range []TerminalKind{Tmux, Pty} {
		t.Run(string(kind), func(t *testing.T) {
			if kind == Tmux {
				tmuxtest.Require(t)
			}
			is := is.New(t)
			s := newStage(t, kind, fakeagent.Script{})
			s.SweepEvery = -1
			run := func(n int) {
				var all sync.WaitGroup
				next := make(chan int)
				for range 4 {
					all.Go(func() {
						for i := range next {
							prompt := fmt.Sprint("number ", i)
							if res, err := s.turn(t.Context(), Request{Prompt: prompt}); err != nil || res.Text != "You said: "+prompt {
								t.Errorf("turn %d: %q, %v", i, res.Text, err)
							}
						}
					})
				}
				for i := range n {
					next <- i
				}
				close(next)
				all.Wait()
			}
			measure := func() (goroutines, files int, heap uint64) {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return runtime.NumGoroutine(), descriptors(), m.HeapAlloc
			}
			run(turns / 10)
			goroutines, files, heap := measure()
			run(turns - turns/10)
			is.True(eventually(func() bool { g, f, _ := measure(); return g <= goroutines && f <= files }))
			_, _, now := measure()
			t.Logf("%d turns: heap %d KiB after a tenth, %d KiB at the end", turns, heap>>10, now>>10)
			is.True(now < heap+2<<20) // flat
		})
	}
}
