package tuiturn

import (
	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/claude"
)

// Claude is Anthropic's claude CLI. What the Runner relies on is checked
// against 2.1.104, 2.1.158 and 2.1.330.
type Claude struct {
	// Path is the program; empty means "claude". Without a slash it is looked
	// up in PATH as the Runner's Environ has it.
	Path string
}

// defaultAgent is that of a Runner without one.
var defaultAgent Agent = Claude{}

func (c Claude) agent() agent.Agent { return claude.Claude{Program: c.Path} }

// Tested are the versions of claude that tuiturn's tests run, the oldest first.
// Those between and after are expected to work.
func (c Claude) Tested() []string { return c.agent().Traits().Tested }
