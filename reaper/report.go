package reaper

import "fmt"

// A Report lists what a [Sweep] has found, in the order in which it was found. It can
// be logged or written as JSON: it holds no command line and no environment.
type Report struct {
	// Found is never nil.
	Found []Finding `json:"found"`
}

// A Finding is one thing that belongs to a lease, and what the sweep did with it. Its
// Kind decides which of Path, Name and Pid are set.
type Finding struct {
	Kind Kind `json:"kind"`

	// Path is the path of a directory, socket or FIFO. For a session it is the path
	// of its server's socket.
	Path string `json:"path,omitempty"`

	// Name is the name of a session, or of a process's program as the system
	// reports it.
	Name string `json:"name,omitempty"`

	// Pid is the pid of a process. For a session it is its server's pid.
	Pid int `json:"pid,omitempty"`

	// Owner is the ID of the lease that the thing belongs to. The ID begins with the
	// host's pid. Owner is empty for a directory that does not name its host.
	Owner string `json:"owner,omitempty"`

	Verdict Verdict `json:"verdict"`

	// Why is the reason for the verdict, a clause of plain English.
	Why string `json:"why"`
}

// String returns the finding in one line, without its Owner.
func (f Finding) String() string {
	return fmt.Sprintf("%s %s: %s: %s", f.Kind, f.name(), f.Verdict, f.Why)
}

// name tells f from others of its kind.
func (f Finding) name() string {
	switch f.Kind {
	case Process, Server:
		return fmt.Sprintf("%d (%q)", f.Pid, f.Name) // the program may have any name
	case Session:
		return f.Name + " on " + f.Path
	}
	return f.Path
}

// A Kind is the kind of thing that a [Finding] reports.
type Kind string

const (
	Directory Kind = "directory" // of a lease, with all that is in it
	Socket    Kind = "socket"    // in such a directory
	FIFO      Kind = "fifo"      // in such a directory
	Process   Kind = "process"   // an agent, or a process that it has started
	Server    Kind = "server"    // the process of a private tmux server
	Session   Kind = "session"   // on a tmux server that others use too
)

// A Verdict says what the sweep did with a [Finding].
type Verdict string

const (
	Ended    Verdict = "ended"
	WouldEnd Verdict = "would end" // in a dry run
	Kept     Verdict = "kept"      // its host lives, or nothing proves that it doesn't
	Failed   Verdict = "failed"    // it could not be ended
)
