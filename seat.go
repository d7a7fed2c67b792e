package tuiturn

import (
	"github.com/tuiturn/tuiturn/internal/drive"
)

// A seat is a pane and the place that it is in. The owner of a seat holds the place
// until the seat is closed: leave gives the place up.
type seat struct {
	*drive.Pane
	place      *place
	leave      func() // gives up the place
	unreported bool   // no caller gets close's error, so the place keeps it
}

// close ends the agent, at whatever stage, and removes its files.
func (s *seat) close() error {
	defer s.leave()
	err := s.Close()
	if err != nil && s.unreported {
		s.place.failed(err)
	}
	return err
}
