package tuiturn

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/drive"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
	"github.com/tuiturn/tuiturn/internal/redact"
)

// A conversation that is being opened counts until its agent is gone.
func TestCloseWhileAConversationOpens(t *testing.T) {
	t.Parallel()
	onEachSetting(t, func(t *testing.T, on setting) {
		is := is.New(t)
		s := on.newStage(t, fakeagent.Script{BootDelay: time.Minute, IgnoreHangup: true, IgnoreTerm: true})
		opened := make(chan error)
		go func() {
			_, err := s.Open(t.Context(), Request{WorkDir: s.work})
			opened <- err
		}()
		alive := func() int { return len(carrying("HOME=" + s.home + "\x00")) }
		is.True(eventually(func() bool { return alive() > 0 }))
		is.NoErr(s.Close())
		is.Equal(alive(), 0)
		is.Equal(s.Stats().Running, 0)
		is.True(errors.Is(<-opened, ErrClosed))
	})
}

// A Runner may be closed at the moment at which a conversation has been opened.
func TestConversationIsClosedAtOnce(t *testing.T) {
	t.Parallel()
	for range 200 {
		c := &Conversation{runner: &Runner{}, seat: &seat{Pane: &drive.Pane{}, leave: func() {}}}
		c.ctx, c.cancel = context.WithCancelCause(t.Context())
		closing, closed := context.WithCancel(t.Context())
		closed()
		c.closeWith(closing)
		<-c.ctx.Done()
	}
}

// A session has one agent, also while it ends.
func TestResumeWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{IgnoreHangup: true, IgnoreTerm: true})
	c := s.talk(Request{})
	c.echoed("one")
	pid := c.seat.Term().Pid()
	var closing sync.WaitGroup
	closing.Go(func() { is.NoErr(c.Close()) })
	<-c.ctx.Done()
	busy := 0
	for {
		next, err := s.Resume(t.Context(), c.SessionID(), Request{WorkDir: s.work})
		if err == nil {
			is.NoErr(next.Close())
			break
		}
		is.True(errors.Is(err, ErrBusy))
		busy++
		time.Sleep(10 * time.Millisecond)
	}
	closing.Wait()
	is.True(busy > 0)
	is.True(errors.Is(syscall.Kill(pid, 0), syscall.ESRCH))
}

// The agent shows what was said before, and an error must not.
func TestResumeIsDiscreet(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{})
	c := s.talk(Request{})
	const said = "No conversation found with session ID" // as the fake agent says in another home
	c.echoed(said)
	is.NoErr(c.Close())
	elsewhere := filepath.Join(s.work, "home")
	is.NoErr(os.Mkdir(elsewhere, 0o700))
	is.NoErr(os.WriteFile(filepath.Join(elsewhere, ".claude.json"), []byte("{}"), 0o600))
	s.Agent = astray{s.Agent.(Claude), elsewhere}
	_, err := s.Resume(t.Context(), c.SessionID(), Request{WorkDir: s.work})
	screen := as[*Error](t, err).Screen
	is.True(strings.Contains(screen, redact.Mask))
	is.True(!strings.Contains(screen, said))
}

// A context that ended has its cause and is told as os/exec does, wherever it ended.
func TestCancelCauseBeforeThePlace(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{})
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the client hung up")
	cancel(gone)
	_, _, _, err := s.open(ctx, nil)
	is.True(errors.Is(err, gone))
	is.True(errors.Is(err, context.Canceled))
}

// An agent that was stopped between two turns takes no prompt, and says nothing.
func TestConversationIsStopped(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("whether a process is stopped is known on Linux only")
	}
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{}) // tmux continues it
	c := s.talk(Request{})
	c.echoed("one")
	is.NoErr(syscall.Kill(c.seat.Term().Pid(), syscall.SIGSTOP))
	began := time.Now()
	_, err := c.say(t.Context(), "two")
	is.True(errors.Is(err, ErrStopped))
	is.True(inTime(time.Since(began), 6*time.Second)) // with the two seconds to come back, and those to end it
}
