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

	// Boots counts the turns and conversations that found no ready agent and started
	// one. Pool counts the others.
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
	Hits         int64 `json:"hits"`          // turns that took a ready agent
	Misses       int64 `json:"misses"`        // turns that found no ready agent
	Boots        int64 `json:"boots"`         // agents that the pool started
	BootFailures int64 `json:"boot_failures"` // starts that failed
	Unwell       int64 `json:"unwell"`        // agents that were dead or busy when a turn took them
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
