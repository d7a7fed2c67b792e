package tuiturn

import (
	"github.com/tuiturn/tuiturn/internal/drive"
)

// A seat is a pane with the place that it is in. Whoever has it holds the place until
// it is closed, or sets leave.
type seat struct {
	*drive.Pane
	place  *place
	leave  func() // the place
	untold bool   // nobody waits for what close returns but the place
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
