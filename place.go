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

// A place holds what the turns of a Runner share: a private directory and a tmux server
// in it. The directory's lease tells a later sweep who owns the directory.
type place struct {
	drive.Place
	turns sync.WaitGroup // turns and ready agents in the place

	mu   sync.Mutex
	left *multierror.Error // teardown errors that no caller got
}

// failed keeps the error of a teardown that no caller waits for. close returns it.
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

// close ends the server and everything in it. If something is left, the lease stays, so
// that the next sweep finds the rest.
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
