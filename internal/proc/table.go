package proc

// A process is one row of the process table.
type process struct {
	Identity
	ppid, sid int
	zombie    bool // all of it has ended and its parent has not asked yet
}

// StartTime tells process pid apart from every other process that has had or
// will have its pid. The unit is the system's own, and a child never starts
// before its parent; alive is false for a process that does not exist or has
// ended and waits to be reaped.
func StartTime(pid int) (start uint64, alive bool) {
	p, ok := lookup(pid)
	return p.Start, ok && !p.zombie
}
