package tuiturn

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

// waiting waits until n turns wait.
func (a *admission) waitFor(n int) bool {
	return eventually(func() bool { _, waiting := a.counts(); return waiting == n })
}

func TestAdmissionIsInOrder(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var a admission
	a.setLimits(Limits{Turns: 1, Waiting: 10})
	leave, err := a.enter(t.Context(), nil)
	is.NoErr(err)
	var order []int
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			leave, err := a.enter(t.Context(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			order = append(order, i) // the limit is one
			leave()
		})
		is.True(a.waitFor(i + 1))
	}
	_, err = a.enter(t.Context(), nil)
	is.True(errors.Is(err, ErrQueueFull))
	leave()
	all.Wait()
	is.Equal(order, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	running, waiting := a.counts()
	is.Equal(running+waiting, 0)
}

func TestAdmissionWaiterLeaves(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var a admission
	a.setLimits(Limits{Turns: 1})
	leave, err := a.enter(t.Context(), nil)
	is.NoErr(err)
	gone := errors.New("the client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	left := make(chan error)
	go func() {
		_, err := a.enter(ctx, nil)
		left <- err
	}()
	is.True(a.waitFor(1))
	cancel(gone)
	is.True(errors.Is(<-left, gone))
	_, waiting := a.counts()
	is.Equal(waiting, 0)
	leave()
	leave, err = a.enter(t.Context(), nil)
	is.NoErr(err)
	leave()
}

func TestAdmissionLimitsChange(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var a admission
	a.setLimits(Limits{Turns: 1, Waiting: 3})
	leave, err := a.enter(t.Context(), nil)
	is.NoErr(err)
	in := make(chan func(), 3)
	for range 3 {
		go func() {
			leave, err := a.enter(t.Context(), nil)
			if err != nil {
				t.Error(err)
			}
			in <- leave
		}()
	}
	is.True(a.waitFor(3))
	a.setLimits(Limits{Turns: 3, Waiting: -1})
	second, third := <-in, <-in
	is.True(a.waitFor(1)) // who waits may go on waiting
	_, err = a.enter(t.Context(), nil)
	is.True(errors.Is(err, ErrQueueFull))
	a.setLimits(Limits{})
	(<-in)()
	leave()
	second()
	third()
	running, waiting := a.counts()
	is.Equal(running+waiting, 0)
}

// Whoever comes and goes, never more than the limit are in, and in the end
// nobody.
func TestAdmissionUnderLoad(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var a admission
	a.setLimits(Limits{Turns: 3, Waiting: 50})
	var in atomic.Int32
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*time.Millisecond)
			defer cancel()
			leave, err := a.enter(ctx, nil)
			if err != nil {
				return
			}
			if in.Add(1) > 3 {
				t.Error("too many are in")
			}
			time.Sleep(time.Millisecond)
			in.Add(-1)
			leave()
		})
	}
	all.Wait()
	running, waiting := a.counts()
	is.Equal(running+waiting, 0)
}

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
	is.True(s.admission.waitFor(1))
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
