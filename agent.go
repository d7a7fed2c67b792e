package tuiturn

import "github.com/tuiturn/tuiturn/internal/agent"

// An Agent is a terminal agent that a Runner can run. [Claude] is the first one. The
// Agent holds everything that is true of one agent only: its arguments and environment,
// how to read its screen, and how to treat its input line.
//
// The method is not exported yet. A second agent has to show which parts of the
// contract are general.
type Agent interface {
	agent() agent.Agent
}
