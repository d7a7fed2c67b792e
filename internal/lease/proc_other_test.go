//go:build !linux

package lease

import (
	"testing"
	"time"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// Neither is known here.
func left(t testing.TB) []proc.Identity                  { return nil }
func guardians(t testing.TB, dir string) []proc.Identity { return nil }

// settled waits until a guardian must have set its traps.
func settled(t testing.TB, pid int) { time.Sleep(time.Second) }
