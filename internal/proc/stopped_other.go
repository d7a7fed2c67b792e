//go:build !linux

package proc

// Stopped is not known on this system.
func Stopped(pid int) bool { return false }

// Waits is not known on this system.
func Waits(pid int) bool { return false }
