package tuiturn

import "github.com/tuiturn/tuiturn/internal/agent"

// An Agent is a terminal agent that a Runner can run. [Claude] is the only one so far.
// The Agent holds everything that is true of one agent only: its arguments and
// environment, how to read its screen, and how to treat its input line.
//
// Only this package can implement an Agent.
type Agent interface {
	// Not exported yet: a second agent has to show which parts of the contract are
	// general.
	agent() agent.Agent
}
