package admission

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
)

// waiting waits until n turns wait.
func (q *Queue) waitFor(n int) bool {
	for range 5000 {
		if _, waiting := q.Counts(); waiting == n {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

func TestAdmissionIsInOrder(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var a Queue
	a.SetLimits(1, 10)
	leave, err := a.Enter(t.Context(), nil)
	is.NoErr(err)
	var order []int
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			leave, err := a.Enter(t.Context(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			order = append(order, i) // the limit is one
			leave()
		})
		is.True(a.waitFor(i + 1))
	}
	_, err = a.Enter(t.Context(), nil)
	is.True(errors.Is(err, ErrFull))
	leave()
	all.Wait()
	is.Equal(order, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	running, waiting := a.Counts()
	is.Equal(running+waiting, 0)
}

func TestAdmissionWaiterLeaves(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var a Queue
	a.SetLimits(1, 10)
	leave, err := a.Enter(t.Context(), nil)
	is.NoErr(err)
	gone := errors.New("the client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	left := make(chan error)
	go func() {
		_, err := a.Enter(ctx, nil)
		left <- err
	}()
	is.True(a.waitFor(1))
	cancel(gone)
	is.True(errors.Is(<-left, gone))
	_, waiting := a.Counts()
	is.Equal(waiting, 0)
	leave()
	leave, err = a.Enter(t.Context(), nil)
	is.NoErr(err)
	leave()
}

func TestAdmissionLimitsChange(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var a Queue
	a.SetLimits(1, 3)
	leave, err := a.Enter(t.Context(), nil)
	is.NoErr(err)
	in := make(chan func(), 3)
	for range 3 {
		go func() {
			leave, err := a.Enter(t.Context(), nil)
			if err != nil {
				t.Error(err)
			}
			in <- leave
		}()
	}
	is.True(a.waitFor(3))
	a.SetLimits(3, -1)
	second, third := <-in, <-in
	is.True(a.waitFor(1)) // who waits may go on waiting
	_, err = a.Enter(t.Context(), nil)
	is.True(errors.Is(err, ErrFull))
	a.SetLimits(0, 0)
	(<-in)()
	leave()
	second()
	third()
	running, waiting := a.Counts()
	is.Equal(running+waiting, 0)
}

// Whoever comes and goes, never more than the limit are in, and in the end
// nobody.
func TestAdmissionUnderLoad(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var a Queue
	a.SetLimits(3, 50)
	var in atomic.Int32
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*time.Millisecond)
			defer cancel()
			leave, err := a.Enter(ctx, nil)
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
	running, waiting := a.Counts()
	is.Equal(running+waiting, 0)
}
