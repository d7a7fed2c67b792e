package tuiturn

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, answers(fakeagent.Turn{Hang: true}))
	s.Limits = Limits{Turns: 1, Waiting: 1}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	running := make(chan bool)
	ended := make(chan error, 2)
	go func() {
		_, err := s.turn(ctx, Request{Prompt: "one", Trace: &Trace{Submitted: func() { close(running) }}})
		ended <- err
	}()
	<-running
	queued := make(chan bool)
	go func() {
		_, err := s.turn(t.Context(), Request{Prompt: "two", Trace: &Trace{Queued: func() { close(queued) }}})
		ended <- err
	}()
	<-queued
	is.True(eventually(func() bool { return s.Stats().Waiting == 1 }))
	res, err := s.turn(t.Context(), Request{Prompt: "three"})
	is.True(errors.Is(err, ErrQueueFull))
	is.True(inTime(res.Timings.Total, time.Second))

	is.NoErr(s.Close()) // ends the one that runs, and the one that waits
	for range 2 {
		is.True(errors.Is(<-ended, ErrClosed))
	}
	is.Equal(s.Stats().Turns["queue_full"], int64(1))
	is.Equal(s.Stats().Turns["closed"], int64(2))
}
