package tmuxctl

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// sessions are the open sessions of an instance.
type sessions struct {
	mu   sync.Mutex
	open map[*Session]bool
}

func (s *sessions) add(t *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*Session]bool{}
	}
	s.open[t] = true
}

func (s *sessions) remove(t *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, t)
}

// lastGrace is how long programs may take to end when their server is closed before
// their sessions.
const lastGrace = 500 * time.Millisecond

// end ends the programs of the sessions. They have got SIGHUP already.
func (s *sessions) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), lastGrace)
	defer cancel()
	var all multierror.Group
	for t := range s.open {
		all.Go(func() error { return proc.End(ctx, t.target) })
	}
	return all.Wait().ErrorOrNil()
}
