package reaper

// Consider narrows what sweeps take for orphans.
func Consider(f func(id string) bool) { considered = f }

// Sweeping tells whether a sweep is under way.
func (s *Sweeper) Sweeping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.swept != nil
}
