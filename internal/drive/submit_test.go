package drive

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/agent"
)

// idle is an agent that shows an empty input line, whatever the screen.
type idle struct{ secretive }

func (idle) See(string) agent.Sees { return agent.Sees{Input: true} }

// slow is a terminal on a busy machine: each look at it takes long.
type slow struct{ still }

func (slow) Screen(context.Context) (string, error) {
	time.Sleep(300 * time.Millisecond)
	return "", nil
}

func (slow) Done() <-chan struct{} { return alive }

var alive = make(chan struct{})

// paused is a terminal on a machine that is paused in the second look.
type paused struct {
	slow
	looks *int
	after func()
}

func (p paused) Screen(context.Context) (string, error) {
	if *p.looks++; *p.looks == 2 {
		time.Sleep(idleQuiet + 500*time.Millisecond)
		time.AfterFunc(500*time.Millisecond, p.after)
	}
	return "", nil
}

// While the machine was paused the agent did not rest, whatever the clock says.
func TestPauseIsNoRest(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	turn, path := newSecretive(t)
	turn.Agent, turn.term = idle{}, paused{looks: new(int), after: func() { appendTo(t, path, promptLine("hello", "p1")) }}
	turn.know("theirs", path)
	stop := turn.follow(t.Context())
	defer stop()
	turn.entered.press(turn.Pane)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	is.NoErr(turn.submit(ctx))
	_, received := turn.log.Received()
	is.True(received)
}

// What the agent has told while its screen was looked at counts before the screen, which
// has not changed for longer than an agent may take.
func TestSlowLooksHearEveryLine(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	turn, path := newSecretive(t)
	turn.Agent, turn.term = idle{}, slow{}
	turn.know("theirs", path)
	lines := make([]map[string]any, 40)
	for i := range lines {
		lines[i] = map[string]any{"type": "noise", "uuid": fmt.Sprint(i)}
	}
	appendTo(t, path, lines...)
	stop := turn.follow(t.Context())
	defer stop()
	turn.entered.press(turn.Pane)
	appendTo(t, path, promptLine("hello", "p1"))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	is.NoErr(turn.submit(ctx))
	_, received := turn.log.Received()
	is.True(received)
}
