package tuiturn

import "github.com/tuiturn/tuiturn/internal/admission"

// Limits limits how many turns of a Runner run at once and how many may wait. The zero
// value sets no limit.
type Limits struct {
	// Turns limits how many turns run at once. Zero or less means no limit.
	Turns int

	// Waiting limits how many further turns wait in the queue, first come, first
	// served. If the queue is full, a turn fails with ErrQueueFull. Zero means ten
	// times Turns. A negative value means that no turn waits.
	Waiting int
}

func (l Limits) waiting() int {
	switch {
	case l.Waiting < 0:
		return 0
	case l.Waiting == 0:
		return 10 * l.Turns
	}
	return l.Waiting
}

// ErrQueueFull is returned for a turn that finds the queue full: see Limits.
var ErrQueueFull = admission.ErrFull
