package transcript

// This file has the bodies of reports: see the package's comment.

// Started says that a session has begun, with the name that the agent uses. It is a
// report, or the first line of a transcript whose session the agent named itself.
type Started struct {
	SessionID string
	Path      string // of the transcript; "" if the line does not say
}

// Shown is a piece of a message that the agent has shown and not yet recorded. The
// MessageDisplay hook of claude 2.1.152 and later reports it.
type Shown struct {
	MessageID string // not the id in the transcript
	Index     int    // of the piece in its message, from 0
	Text      string
}

// Stopping says that the agent is about to stop. A hook may still object and make the
// agent go on.
type Stopping struct {
	// Text is the last text block of the answer, without white space around it.
	Text string
}

// Asked says that a permission hook of the program waits for a decision. The hook
// itself writes the line, and not the agent: {"hook_event_name":"Asked","pid":1234}.
type Asked struct {
	Pid int // of the hook's process
}

func (*Started) body()  {}
func (*Shown) body()    {}
func (*Stopping) body() {}
func (*Asked) body()    {}

// isReport reports whether only a report can have the body.
func isReport(b Body) bool {
	switch b.(type) {
	case *Shown, *Stopping, *Asked:
		return true
	}
	return false
}
