package tuiturn

import (
	"github.com/tuiturn/tuiturn/internal/drive"
	"github.com/tuiturn/tuiturn/internal/redact"
)

// A seat is a pane with the place that it is in. Whoever has it holds the place until
// it is closed, or sets leave.
type seat struct {
	*drive.Pane
	place  *place
	leave  func() // the place
	untold bool   // nobody waits for what close returns but the place
}

func (r *Runner) newSeat(place *place, s setup, session string, redactor *redact.Redactor) (*seat, error) {
	kind, err := r.terminal()
	if err != nil {
		return nil, err
	}
	return &seat{Pane: drive.New(s.pane(r, place, kind, session), redactor), place: place, leave: func() {}}, nil
}

// host is what the Runner's agents share.
func (r *Runner) host() *drive.Host {
	return &drive.Host{Home: r.Home, Token: r.Token, Environ: r.Environ, Env: r.Env, Log: r.log(), Drift: &r.drift}
}

// close ends the agent and removes its files, however far it has come.
func (s *seat) close() error {
	defer s.leave()
	err := s.Close()
	if err != nil && s.untold {
		s.place.failed(err)
	}
	return err
}
