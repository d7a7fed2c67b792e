package tuiturn

// Stats are numbers to watch.
type Stats struct {
	// Drift counts what the agents' transcripts hold that is not known, and lack
	// of what is: see transcript.Drift. It is empty unless a version of the agent
	// writes another format.
	Drift map[string]int64

	Pool PoolStats
}

// Stats returns the numbers as they are now.
func (r *Runner) Stats() Stats {
	r.mu.Lock()
	pool := r.pool
	r.mu.Unlock()
	return Stats{Drift: r.drift.Counts(), Pool: pool.stats()}
}
