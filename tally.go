package tuiturn

import (
	"maps"
	"sync"
)

// Stats holds numbers about a Runner's turns and agents. Counters start at zero with
// the Runner. Stats encodes to JSON, so it can be published like this:
//
//	expvar.Publish("tuiturn", expvar.Func(func() any { return runner.Stats() }))
type Stats struct {
	// Running counts the turns that run now. Waiting counts the turns in the queue.
	Running int `json:"running"`
	Waiting int `json:"waiting"`

	// Turns counts the turns that have ended, by their Outcome.
	Turns map[string]int64 `json:"turns"`

	// Boots counts the agents that turns and conversations started themselves,
	// Pool.Boots those that the pool started.
	Boots int64 `json:"boots"`

	// Resubmits counts how often Enter was pressed again because the agent had not
	// taken the first one.
	Resubmits int64 `json:"resubmits"`

	// Reaped counts the processes of dead hosts that were ended.
	Reaped int64 `json:"reaped"`

	// Drift counts differences between the agents' transcripts and the known format:
	// see transcript.Drift. It stays empty unless a version of the agent writes another
	// format.
	Drift map[string]int64 `json:"drift"`

	Pool PoolStats `json:"pool"`
}

// PoolStats holds numbers about a Pool.
type PoolStats struct {
	Ready        int   `json:"ready"`         // agents that are ready now
	Hits         int64 `json:"hits"`          // turns and conversations that took a ready agent
	Misses       int64 `json:"misses"`        // turns and conversations that found none
	Boots        int64 `json:"boots"`         // agents that the pool started
	BootFailures int64 `json:"boot_failures"` // starts that failed
	Unwell       int64 `json:"unwell"`        // ready agents that turned out unusable when they were taken: dead, busy, too old
	Discarded    int64 `json:"discarded"`     // agents that were surplus, too old or dead
}

// A tally holds the counters of a Runner itself.
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
