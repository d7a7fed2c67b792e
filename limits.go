package tuiturn

import "github.com/tuiturn/tuiturn/internal/admission"

// Limits say how many turns a Runner runs at once, and how many may wait.
type Limits struct {
	// Turns is how many turns run at once. Zero or less means no limit.
	Turns int

	// Waiting is how many further turns may wait in the queue, first come, first
	// served. A turn that finds the queue full fails with ErrQueueFull. Zero means
	// ten times Turns. Less than zero means that no turn waits.
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

// ErrQueueFull is the error of a turn that finds the queue full.
var ErrQueueFull = admission.ErrFull
