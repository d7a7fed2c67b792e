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

// ErrServerClosed is wrapped by the errors of NewSession on a closed Server, of Run
// while no server runs, and of a Session whose server has ended.
var ErrServerClosed = errors.New("the tmux server has ended")

// A Server is one tmux server: a private one, or the server that Shared names. The
// zero value is ready for use; its fields must not be changed after the first
// session. A private server starts with the first session. If it has ended by itself,
// the next session starts another.
type Server struct {
	// Tmux is the tmux program, version 2.6 or later; empty means "tmux",
	// looked up in PATH. (Up to 2.9a tmux always reads /etc/tmux.conf.)
	Tmux string

	// TempDir is where the server's private directory (mode 0700) is made;
	// empty means os.TempDir(). Keep it short: a socket's path may have about
	// 100 bytes. The directory records this process. When this process dies, for
	// whatever reason, everything in the server is ended.
	TempDir string

	// Env is the environment of the server process; the programs in it do not see
	// it. Nil means PATH=/usr/local/bin:/usr/bin:/bin and LANG=C.UTF-8.
	Env []string

	// Shared is the absolute path of the socket of a tmux server that others use
	// too; empty means a private server. The shared server must be running, as this
	// user and in this pid namespace. It is never started, ended or reconfigured.
	//
	// The names of sessions made here begin with "tuiturn-" and a random part of
	// this Server's own. Only the pane of each session is ended, also where a person
	// has renamed the session or moved the pane. Whatever a person has added stays.
	// The server's configuration applies to options that can't be set for one
	// window, such as history-limit. A hook that changes new sessions is reported as
	// an error. Every command is a process and takes 2 to 3 ms.
	//
	// If this process dies, its programs end within seconds, and the next
	// reaper.Sweep ends what is left of the panes. If the shared server is replaced
	// by another on the same socket during the milliseconds of one command, keys may
	// reach a pane of the other server.
	Shared string

	// mu is held for reading while a session is made: Close then meets either
	// no session or a whole one.
	mu      sync.RWMutex
	current *instance
	prefix  string // see shared
	closed  atomic.Bool
}

// Socket returns the path of the server's socket, so that a person can attach with
// tmux -S. It returns "" while no server runs.
func (s *Server) Socket() string {
	if in := s.running(); in != nil {
		return in.socket()
	}
	return ""
}

// Run gives the server one tmux command and returns what the command prints. The
// server must have been started by a session. If ctx has no deadline, Run and a
// Session's SendKeys, Paste and Screen give up after 30 seconds, or after 10 if the
// server's process is stopped (SIGSTOP). A command that was given up, or whose ctx
// has ended, may still be carried out.
//
// Give each command its target (-t). Besides those of NewSession the server has a
// session "(tuiturn)" without a program, and without a target tmux may choose it.
func (s *Server) Run(ctx context.Context, args ...string) ([]byte, error) {
	if len(args) == 0 {
		return nil, errors.New("running a tmux command: no command was given")
	}
	in := s.running()
	if in == nil {
		return nil, fmt.Errorf("tmux %s: %w", args[0], ErrServerClosed)
	}
	return in.run(ctx, nil, args...)
}

// Sessions lists the names of the server's sessions, as NewSession was given them.
// On a shared server it lists only the sessions of this Server. It lists none while
// no server runs.
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

// running returns the instance that runs now, or nil.
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
			return fmt.Errorf("cleaning up after the tmux server that has ended: %w", err)
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

// Close ends a private server with every program in it, and removes its directory.
// A NewSession that is under way fails. On a shared server Close ends the sessions
// of this Server and nothing else, and waits for a NewSession that is under way.
//
// Programs whose session was not closed get SIGHUP, and SIGKILL after half a
// second. Close returns when all of this is gone. The error tells what is left, and
// Close may be called again. A closed Server starts no more sessions.
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
