package fifo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fifo"
)

func newFIFO(t *testing.T) fifo.FIFO {
	t.Helper()
	f, err := fifo.New(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// patient bounds what is expected to succeed.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// connect gives f a reader that has read nothing yet.
func connect(t *testing.T, f fifo.FIFO) (*fifo.Writer, *os.File) {
	t.Helper()
	r, err := os.OpenFile(f.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	w, err := f.Open(patient(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	return w, r
}

func TestDeliversEveryByte(t *testing.T) {
	exact := make([]byte, 256)
	for i := range exact {
		exact[i] = byte(i)
	}
	for name, data := range map[string][]byte{
		"nothing":      {},
		"every byte":   exact,
		"one megabyte": bytes.Repeat(exact, 4096),
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			f := newFIFO(t)
			got := make(chan []byte, 1)
			go func() {
				data, _ := os.ReadFile(f.Path) // waits in open
				got <- data
			}()
			w, err := f.Open(patient(t), nil)
			is.NoErr(err)
			is.NoErr(w.Deliver(patient(t), data))
			is.True(bytes.Equal(<-got, data))
		})
	}
}

func TestOnlyTheOwnerMayOpenIt(t *testing.T) {
	is := is.New(t)
	info, err := os.Stat(newFIFO(t).Path)
	is.NoErr(err)
	is.Equal(info.Mode(), fs.ModeNamedPipe|0o600)
}

func TestNewNeedsAFreeName(t *testing.T) {
	is := is.New(t)
	f := newFIFO(t)
	_, err := fifo.New(f.Path)
	is.True(errors.Is(err, fs.ErrExist))
	_, err = fifo.New(filepath.Join(f.Path+"-dir", "f"))
	is.True(errors.Is(err, fs.ErrNotExist))
}

func TestASecondReaderIsToldAtOnce(t *testing.T) {
	is := is.New(t)
	f := newFIFO(t)
	w, _ := connect(t, f)
	_, err := os.Open(f.Path) // would wait for ever
	is.True(errors.Is(err, fs.ErrNotExist))
	is.NoErr(w.Deliver(patient(t), nil))
}

func TestRemoveReleasesAReaderThatWaits(t *testing.T) {
	is := is.New(t)
	f := newFIFO(t)
	got := make(chan []byte, 1)
	opening := make(chan struct{})
	go func() {
		close(opening)
		data, _ := os.ReadFile(f.Path) // fails if it comes too late to wait
		got <- data
	}()
	<-opening
	time.Sleep(20 * time.Millisecond) // in most runs it waits by now
	f.Remove()
	select {
	case data := <-got:
		is.Equal(len(data), 0)
	case <-patient(t).Done():
		t.Fatal("the reader waits on")
	}
}

func TestOpenGivesUp(t *testing.T) {
	t.Run("when its context ends", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := newFIFO(t).Open(ctx, nil)
		is.True(errors.Is(err, context.DeadlineExceeded))
	})
	t.Run("when its context has ended, reader or not", func(t *testing.T) {
		is := is.New(t)
		f := newFIFO(t)
		r, err := os.OpenFile(f.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		is.NoErr(err)
		defer r.Close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = f.Open(ctx, nil)
		is.True(errors.Is(err, context.Canceled))
	})
	t.Run("when the reader is gone", func(t *testing.T) {
		is := is.New(t)
		gone := make(chan struct{})
		time.AfterFunc(20*time.Millisecond, func() { close(gone) })
		_, err := newFIFO(t).Open(patient(t), gone)
		is.True(errors.Is(err, fifo.ErrGone))
	})
	t.Run("when the FIFO is gone", func(t *testing.T) {
		is := is.New(t)
		f := newFIFO(t)
		f.Remove()
		f.Remove() // no harm
		_, err := f.Open(patient(t), nil)
		is.True(errors.Is(err, fs.ErrNotExist))
	})
}

func TestDeliverGivesUp(t *testing.T) {
	data := make([]byte, 1<<20) // more than the kernel keeps for a reader
	t.Run("when its context ends", func(t *testing.T) {
		is := is.New(t)
		w, r := connect(t, newFIFO(t))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		is.True(errors.Is(w.Deliver(ctx, data), context.DeadlineExceeded))
		got, err := io.ReadAll(r)
		is.NoErr(err) // the reader is not left waiting
		is.True(len(got) < len(data))
	})
	t.Run("when its context has ended", func(t *testing.T) {
		is := is.New(t)
		w, r := connect(t, newFIFO(t))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		is.True(errors.Is(w.Deliver(ctx, []byte("x")), context.Canceled))
		got, err := io.ReadAll(r)
		is.NoErr(err)
		is.Equal(len(got), 0)
	})
	t.Run("when the reader is gone", func(t *testing.T) {
		is := is.New(t)
		w, r := connect(t, newFIFO(t))
		r.Close()
		is.True(errors.Is(w.Deliver(patient(t), []byte("x")), syscall.EPIPE))
	})
	t.Run("when the reader goes in the middle", func(t *testing.T) {
		is := is.New(t)
		w, r := connect(t, newFIFO(t))
		time.AfterFunc(20*time.Millisecond, func() { r.Close() })
		is.True(errors.Is(w.Deliver(patient(t), data), syscall.EPIPE))
	})
}

// A cleaner of temporary files takes the name when a reader has opened it, and
// before.
func TestTheNameIsTaken(t *testing.T) {
	is := is.New(t)
	if runtime.GOOS == "linux" {
		f := newFIFO(t)
		r, err := os.OpenFile(f.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		is.NoErr(err)
		defer r.Close()
		is.NoErr(os.Remove(f.Path))
		w, err := f.Open(patient(t), nil)
		is.NoErr(err)
		is.NoErr(w.Deliver(patient(t), []byte("x")))
		got, err := io.ReadAll(r)
		is.NoErr(err)
		is.Equal(string(got), "x")
	}

	f := newFIFO(t)
	is.NoErr(os.Remove(f.Path))
	_, err := f.Open(patient(t), nil)
	is.True(errors.Is(err, fs.ErrNotExist))
	f.Remove()
}

func TestNothingIsLeft(t *testing.T) {
	count := func() int {
		names, err := os.ReadDir("/dev/fd")
		if err != nil {
			t.Skip("no /dev/fd:", err)
		}
		return len(names)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	round := func() {
		w, r := connect(t, newFIFO(t))
		w.Deliver(ended, []byte("x"))
		r.Close()
		w, r = connect(t, newFIFO(t))
		r.Close()
		w.Deliver(patient(t), []byte("x"))
		f := newFIFO(t)
		f.Open(ended, nil)
		f.Remove()
	}
	round() // opens the poller's own descriptors
	files, goroutines := count(), runtime.NumGoroutine()
	for range 20 {
		round()
	}
	if now := count(); now > files {
		t.Errorf("%d descriptors, %d before", now, files)
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}
