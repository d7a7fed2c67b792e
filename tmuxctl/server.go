package tmuxctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
)

// ErrServerClosed is returned for a Server that was closed, and for a session
// whose server has ended.
var ErrServerClosed = errors.New("the tmux server has ended")

// A Server is one tmux server: of our own, or, where Shared names it, one that
// others use too. The zero value is ready for use: a server of our own starts
// with the first session, and again with the next one should it have ended by
// itself.
type Server struct {
	// Tmux is the tmux program, version 2.6 or later; empty means "tmux",
	// looked up in PATH. (Up to 2.9a tmux reads /etc/tmux.conf, whatever it is
	// told.)
	Tmux string

	// TempDir is where the server's private directory (mode 0700) is made;
	// empty means os.TempDir(). Keep it short: a socket's path may have about
	// 100 bytes. The directory says whose it is, and when this process dies,
	// however it does, everything in the server is ended.
	TempDir string

	// Env is the server's own environment, which no program in it sees; nil
	// means PATH=/usr/local/bin:/usr/bin:/bin and LANG=C.UTF-8.
	Env []string

	// Shared is the socket of a tmux server that others use too, an absolute
	// path; empty means a server of our own. The server must be running, as this
	// user and in this pid namespace, and it is never started, ended or changed.
	// Sessions made here have names that begin with "tuiturn-" and what no other
	// Server has; what is ended is the pane of each, also where a person has
	// renamed the session or put the pane elsewhere, and nothing that a person
	// has added. Its own configuration applies where it can't be set for one
	// window, such as history-limit; hooks that change new sessions are reported.
	// Every command is a process, 2 to 3 ms each. Should this process die, the
	// programs end within seconds and what is left of the panes with the next
	// reaper.Sweep. Should the server be ended and another started on the same
	// socket in the milliseconds of one command, keys may reach a pane of that one.
	Shared string

	// mu is held for reading while a session is made: Close then meets either
	// no session or a whole one.
	mu      sync.RWMutex
	current *instance
	prefix  string // see shared
	closed  atomic.Bool
}

// Socket is the path of the server's socket, for a person to look on with
// tmux -S; empty while no server runs.
func (s *Server) Socket() string {
	if in := s.running(); in != nil {
		return in.socket()
	}
	return ""
}

// Run gives the server one tmux command and returns what it prints. The server
// must have been started by a session. Without a deadline in ctx it may take 10
// seconds; when ctx ends first, the command may still be carried out.
//
// Give commands their target (-t): besides those of NewSession the server has a
// session of its own, "(tuiturn)", without a program, which tmux may choose.
func (s *Server) Run(ctx context.Context, args ...string) ([]byte, error) {
	if len(args) == 0 {
		return nil, errors.New("running a tmux command: none was given")
	}
	in := s.running()
	if in == nil {
		return nil, fmt.Errorf("tmux %s: %w", args[0], ErrServerClosed)
	}
	return in.run(ctx, nil, args...)
}

// Sessions lists the names of the sessions that the server has, on a shared one
// of ours alone and as NewSession was given them; none when no server runs.
func (s *Server) Sessions(ctx context.Context) ([]string, error) {
	in := s.running()
	if in == nil {
		return nil, nil
	}
	out, err := in.run(ctx, nil, "list-sessions", "-F", "#{session_name}")
	if errors.Is(err, ErrServerClosed) || err != nil && strings.Contains(err.Error(), "no sessions") {
		return nil, nil
	}
	var names []string
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if in.shared != nil {
			var ours bool
			if name, ours = strings.CutPrefix(name, in.shared.prefix); !ours {
				continue
			}
		}
		if name != keeper {
			names = append(names, name)
		}
	}
	return names, err
}

// running is the instance that runs now, nil if none does.
func (s *Server) running() *instance {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.current == nil || s.current.gone() {
		return nil
	}
	return s.current
}

// use returns a running instance, with s.mu held for reading.
func (s *Server) use(ctx context.Context) (*instance, error) {
	for {
		s.mu.RLock()
		if in := s.current; in != nil && !s.closed.Load() && !in.gone() {
			return in, nil
		}
		s.mu.RUnlock()
		if err := s.start(ctx); err != nil {
			return nil, err
		}
	}
}

func (s *Server) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return ErrServerClosed
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // others may have started before
	}
	if s.current != nil {
		if !s.current.gone() {
			return nil
		}
		if err := s.current.end(); err != nil {
			return fmt.Errorf("clearing away the tmux server that has ended: %w", err)
		}
		s.current = nil
	}
	tmux := s.Tmux
	if tmux == "" {
		tmux = "tmux"
	}
	path, err := exec.LookPath(tmux)
	if err != nil {
		return fmt.Errorf("finding tmux: %w: install tmux 2.6 or later, or use a plain pty", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	tempDir := s.TempDir
	if tempDir == "" {
		tempDir = os.TempDir()
	}
	if tempDir, err = filepath.Abs(tempDir); err != nil {
		return err
	}
	if s.Shared == "" {
		if s.current, err = startInstance(ctx, path, tempDir, s.Env); err != nil {
			return fmt.Errorf("starting tmux: %w", err)
		}
		return nil
	}
	if s.prefix == "" {
		s.prefix = newPrefix()
	}
	if s.current, err = attachShared(ctx, path, tempDir, s.Env, s.Shared, s.prefix); err != nil {
		return fmt.Errorf("sharing a tmux server: %w", err)
	}
	return nil
}

// Close ends the server, of a shared one our sessions, with every program in it,
// and removes its directory. A NewSession under way fails. Close returns when the
// server is gone; the error tells what is left, and Close may be called again. A
// closed Server starts no more sessions.
//
// Programs whose session was not closed are hung up on, and killed after half a
// second. Of a shared server nothing else ends, and a NewSession under way is
// waited for.
func (s *Server) Close() error {
	s.closed.Store(true)
	if in := s.running(); in != nil {
		in.hangUp() // now: a NewSession that waits for it holds s.mu
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return nil
	}
	if err := s.current.end(); err != nil {
		return fmt.Errorf("closing the tmux server: %w", err)
	}
	s.current = nil
	return nil
}
