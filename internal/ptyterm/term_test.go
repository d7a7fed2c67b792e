package ptyterm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/terminal"
)

// shell starts a script that prints "up" once it wants to be looked at.
func shell(t *testing.T, script string) *Term {
	t.Helper()
	term, err := Start(t.Context(), terminal.Config{
		Name: fmt.Sprintf("pty-%d-%d", os.Getpid(), time.Now().UnixNano()),
		Path: "/bin/sh",
		Args: []string{"-c", script},
		Env:  []string{"PATH=/usr/bin:/bin"},
		Dir:  t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, term) })
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := term.Screen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "up") {
			return term
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the script never came up: %q", text)
		}
	}
}

func shut(t *testing.T, term *Term) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := term.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestAPasteCutShortMakesTheInputUnusable(t *testing.T) {
	is := is.New(t)
	term := shell(t, `stty raw -echo; printf up; sleep 60`)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := term.Paste(ctx, make([]byte, 1<<20))
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.True(strings.Contains(err.Error(), "close the terminal"))
	err = term.SendKeys(t.Context(), "a")
	is.True(err != nil && strings.Contains(err.Error(), "close the terminal"))
	_, err = term.Screen(t.Context())
	is.NoErr(err)
}

func TestCloseInterruptsAPaste(t *testing.T) {
	is := is.New(t)
	term := shell(t, `stty raw -echo; printf up; sleep 60`)
	pasted := make(chan error, 1)
	go func() { pasted <- term.Paste(context.Background(), make([]byte, 1<<20)) }()
	shut(t, term)
	select {
	case err := <-pasted:
		is.True(errors.Is(err, os.ErrProcessDone))
	case <-time.After(2 * time.Minute):
		t.Fatal("the paste goes on after Close")
	}
}

func TestTheProgramGetsAnswersToItsQuestions(t *testing.T) {
	is := is.New(t)
	term := shell(t, `stty raw -echo; printf '\033[c'; a=$(dd bs=1 count=3 2>/dev/null | tail -c 2); printf "up<$a>"; sleep 60`)
	text, err := term.Screen(t.Context())
	is.NoErr(err)
	is.True(strings.Contains(text, "up<[?>"))
}

func TestOutputGoesOnWhileAnswersAreNotRead(t *testing.T) {
	// The script waits for "up" only: it stands behind 20,000 unread answers.
	shell(t, `stty raw -echo; i=0; while [ $i -lt 20000 ]; do printf '\033[c'; i=$((i+1)); done; printf up; sleep 60`)
}

func TestNothingIsLeft(t *testing.T) {
	descriptors := func() int {
		names, _ := filepath.Glob("/dev/fd/*")
		return len(names)
	}
	shut(t, shell(t, "printf up")) // opens the poller's own descriptors
	goroutines, fds := runtime.NumGoroutine(), descriptors()
	for range 10 {
		shut(t, shell(t, `sleep 60 & printf up; sleep 60`))
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
	if now := descriptors(); now > fds {
		t.Errorf("%d descriptors, %d before", now, fds)
	}
}
