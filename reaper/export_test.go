package reaper

// Sweeping tells whether a sweep is under way.
func (s *Sweeper) Sweeping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.swept != nil
}
