package tuiturn

import (
	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/claude"
)

// Claude is Anthropic's claude CLI. The tests check what a Runner relies on against
// 2.1.104, 2.1.158 and 2.1.330. The zero value runs "claude" from PATH.
type Claude struct {
	// Path is the path or name of the program; empty means "claude". A name without a
	// slash is looked up in the absolute directories of PATH in Runner.Env, else in
	// Runner.Environ.
	Path string
}

// defaultAgent is the agent of a Runner whose Agent is nil.
var defaultAgent Agent = Claude{}

func (c Claude) agent() agent.Agent { return claude.Claude{Program: c.Path} }

// Tested returns the versions of claude that tuiturn's tests run, the oldest first.
// Versions in between and newer ones are expected to work.
func (c Claude) Tested() []string { return c.agent().Traits().Tested }
