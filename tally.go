package tuiturn

import (
	"maps"
	"sync"
)

// Stats are numbers to watch. They encode to JSON, so that
//
//	expvar.Publish("tuiturn", expvar.Func(func() any { return runner.Stats() }))
//
// publishes them.
type Stats struct {
	// Running and Waiting are the turns that are under way and that wait for
	// one to end.
	Running int `json:"running"`
	Waiting int `json:"waiting"`

	// Turns counts the turns that have ended, by their Outcome.
	Turns map[string]int64 `json:"turns"`

	// Boots counts the turns and conversations that found no agent ready and
	// started one; see Pool for the others.
	Boots int64 `json:"boots"`

	// Resubmits counts the Enters that were pressed once more because the
	// agent had not taken the first.
	Resubmits int64 `json:"resubmits"`

	// Reaped counts the processes of dead hosts that were ended.
	Reaped int64 `json:"reaped"`

	// Drift counts what the agents' transcripts hold that is not known, and lack
	// of what is: see transcript.Drift. It is empty unless a version of the agent
	// writes another format.
	Drift map[string]int64 `json:"drift"`

	Pool PoolStats `json:"pool"`
}

// PoolStats are a Pool's numbers.
type PoolStats struct {
	Ready        int   `json:"ready"`         // agents that stand ready
	Hits         int64 `json:"hits"`          // turns that took one
	Misses       int64 `json:"misses"`        // turns that found none
	Boots        int64 `json:"boots"`         // starts of agents
	BootFailures int64 `json:"boot_failures"` // those of them that failed
	Unwell       int64 `json:"unwell"`        // agents that were found dead or busy when a turn came
	Discarded    int64 `json:"discarded"`     // agents that were too many, too old or dead
}

// A tally is what a Runner counts itself.
type tally struct {
	mu sync.Mutex
	Stats
}

func (c *tally) add(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.Stats)
}

func (c *tally) stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.Stats
	s.Turns = maps.Clone(c.Turns)
	return s
}
