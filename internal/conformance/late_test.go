package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

// TestLateReceipts interrupts turns at random moments from the handing over of the
// prompt to shortly after its receipt: 3 a version, 60 with TUITURN_LONG, on a
// machine that is kept busy. Every turn that follows must get its own answer,
// whether it says the same as the interrupted one or something else.
func TestLateReceipts(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		n := 3
		switch {
		case long():
			if n = 60; terminal == tuiturn.Tmux {
				n = 20
			}
			keepBusy(t)
		case !itsTurn(0, version, terminal):
			return
		}
		h := newHost(t, version, terminal)
		var mute atomic.Bool
		c := newTalk(t, h, tuiturn.Request{NoTools: true}, func(prompt string) *standin.Reply {
			if mute.Load() {
				return &standin.Reply{Text: "never", Delay: turnTimeout}
			}
			return nil
		})
		rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
		ended, again := 0, 0
		for i := range n {
			prompt := fmt.Sprintf("prompt %d", i)
			mute.Store(true)
			for range 1 + rng.IntN(2) {
				err := interruptedTurn(t, c, prompt, rng)
				if errors.Is(err, tuiturn.ErrEnded) {
					t.Errorf("%d: the conversation has ended: %v", i, err)
					ended++
					c.again()
				}
			}
			mute.Store(false)
			if rng.IntN(2) == 0 {
				again++
			} else {
				prompt = fmt.Sprintf("question %d", i)
			}
			ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
			res, err := c.Turn(ctx, tuiturn.TurnRequest{Prompt: prompt})
			cancel()
			if err != nil || res.Text != "heard: "+prompt {
				t.Fatalf("%d: %q was answered with %s, %v", i, prompt, excerpt(res.Text), err)
			}
		}
		t.Logf("%d interruptions, %d prompts said again, %d conversations ended", n, again, ended)
	})
}

// interruptedTurn is a turn that ends early, by its context or by Interrupt.
func interruptedTurn(t *testing.T, c *talk, prompt string, rng *rand.Rand) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
	defer cancel()
	var interrupting sync.WaitGroup
	after := time.Duration(rng.IntN(400)) * time.Millisecond
	way := rng.IntN(2)
	_, err := c.Turn(ctx, tuiturn.TurnRequest{Prompt: prompt, Trace: &tuiturn.Trace{Delivered: func() {
		interrupting.Go(func() {
			time.Sleep(after)
			if way == 0 {
				cancel()
				return
			}
			if err := c.Interrupt(t.Context()); err != nil && !errors.Is(err, tuiturn.ErrEnded) {
				t.Errorf("Interrupt: %v", err)
			}
		})
	}}})
	interrupting.Wait()
	if !errors.Is(err, context.Canceled) && !errors.Is(err, tuiturn.ErrInterrupted) && !errors.Is(err, tuiturn.ErrEnded) {
		t.Errorf("%q ended with %v", prompt, err)
	}
	return err
}

// keepBusy has two loops a core run until the test is over.
func keepBusy(t *testing.T) {
	t.Helper()
	for range 2 * runtime.NumCPU() {
		loop := exec.Command("/bin/sh", "-c", "while :; do :; done")
		must(t, loop.Start())
		t.Cleanup(func() {
			loop.Process.Kill()
			loop.Wait()
		})
	}
}
