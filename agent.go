package tuiturn

import "github.com/tuiturn/tuiturn/internal/agent"

// An Agent is one terminal agent that a Runner can run. [Claude] is the first. What
// is true of one agent only stands behind it: its arguments and environment, what its
// screen says, how its input line is to be treated.
//
// Its method is not exported: a second agent has to show which parts of the contract
// generalise.
type Agent interface {
	agent() agent.Agent
}
