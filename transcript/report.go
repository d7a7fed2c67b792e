package transcript

// Bodies of reports. A report is a line that a hook of the agent has appended to a
// file of the caller's: it says what the transcript does not say, or says later.
// Read reports with a [Follower] whose Format has the agent's Report as Decode.

// Started says that a session has begun, and what the agent calls it. An agent
// that names its own sessions may say so in the transcript, too.
type Started struct {
	SessionID string
	Path      string // of the transcript; "" if the line does not say
}

// Shown is a piece of a message that the agent showed before it recorded it, as
// the MessageDisplay hook of claude 2.1.152 and later reports it.
type Shown struct {
	MessageID string // not the id that the transcript has
	Index     int    // of the piece in its message, from 0
	Text      string
}

// Stopping says that the agent is about to stop. Hooks that object to that may
// still make it go on.
type Stopping struct {
	// Text is the last text block of the answer. The agent has removed white
	// space around it.
	Text string
}

// Asked says that a permission hook of the caller's waits for a decision. No agent
// writes this line; the hook does: {"hook_event_name":"Asked","pid":1234}.
type Asked struct {
	Pid int // of the hook's process
}

func (*Started) body()  {}
func (*Shown) body()    {}
func (*Stopping) body() {}
func (*Asked) body()    {}

// isReport tells a body that only reports have.
func isReport(b Body) bool {
	switch b.(type) {
	case *Shown, *Stopping, *Asked:
		return true
	}
	return false
}
