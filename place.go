package tuiturn

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/drive"
	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/tmuxctl"
)

// A place is what the turns of a Runner share: a directory of their own, which
// says to whoever sweeps up later whose they are, and a tmux server in it.
type place struct {
	drive.Place
	turns sync.WaitGroup // that run there

	mu   sync.Mutex
	left *multierror.Error // what could not be ended and nobody was told of
}

// failed keeps an error of a teardown that nobody waits for.
func (p *place) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = multierror.Append(p.left, err)
}

func newPlace(ctx context.Context, tempDir, tmuxSocket string) (*place, error) {
	l, err := lease.New(ctx, tempDir)
	if _, dir := errors.AsType[*lease.DirError](err); dir {
		return nil, fmt.Errorf("%w: name another one in Runner.TempDir", err)
	}
	if err != nil {
		return nil, err
	}
	return &place{Place: drive.Place{Lease: l, Tmux: &tmuxctl.Server{TempDir: l.Dir(), Shared: tmuxSocket}}}, nil
}

// close ends the server and everything in it. While something is left the lease
// stays, which tells the next sweep of it.
func (p *place) close() error {
	err := p.Tmux.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.left = multierror.Append(p.left, err)
	}
	if err := p.left.ErrorOrNil(); err != nil {
		return err
	}
	return p.Lease.Release()
}
