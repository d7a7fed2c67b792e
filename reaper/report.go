package reaper

import "fmt"

// A Report is what a [Sweep] has found, in the order in which it was met. It is
// made to be logged or written as JSON: no command line and no environment is in
// it.
type Report struct {
	// Found is never nil.
	Found []Finding `json:"found"`
}

// A Finding is one thing of a lease, dead or not, and what became of it. Which
// of the fields that name it are set depends on its kind.
type Finding struct {
	Kind Kind `json:"kind"`

	// Path is that of a directory, socket or FIFO, and the socket of the
	// server that a session is on.
	Path string `json:"path,omitempty"`

	// Name is a session's, or the program's as the system keeps it.
	Name string `json:"name,omitempty"`

	// Pid is a process's, and for a session its server's.
	Pid int `json:"pid,omitempty"`

	// Owner is the ID of the lease that it belongs to, which begins with the
	// pid of the host; empty for a directory that does not say whose it is.
	Owner string `json:"owner,omitempty"`

	Verdict Verdict `json:"verdict"`

	// Why is a clause of plain English.
	Why string `json:"why"`
}

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

// A Kind is what a [Finding] is.
type Kind string

const (
	Directory Kind = "directory" // of a lease, with all that is in it
	Socket    Kind = "socket"    // in such a directory
	FIFO      Kind = "fifo"      // in such a directory
	Process   Kind = "process"   // an agent, or what it has started
	Server    Kind = "server"    // the process of a private tmux server
	Session   Kind = "session"   // on a tmux server that others use too
)

// A Verdict is what became of a [Finding].
type Verdict string

const (
	Ended    Verdict = "ended"
	WouldEnd Verdict = "would end" // in a dry run
	Kept     Verdict = "kept"      // its host lives, or nothing proves that it doesn't
	Failed   Verdict = "failed"    // it was to be ended and is still there
)
