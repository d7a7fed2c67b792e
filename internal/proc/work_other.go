//go:build !linux

package proc

import "time"

// WorkTime is not known on this system.
func WorkTime(pid int) (worked time.Duration, ok bool) { return 0, false }

// Delegates is not known on this system.
func Delegates(pid int, d time.Duration, share int) bool { return false }
