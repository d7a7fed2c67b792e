package drive

import (
	"log/slog"
	"sync/atomic"
)

// An identity says what a session is called and where its log is. Some agents take the
// name that we give them. The others name their sessions themselves: then name and path
// are known when the agent has told them.
type identity struct {
	ours  string               // of the terminal and the files
	agent atomic.Pointer[told] // nil until it is known
	known chan struct{}        // closed then

	// Named, if not nil, is called when the agent has told its name for the session,
	// before SessionID returns that.
	Named func(session string)
}

// told is the agent's name for a session, and the path of the session's log.
type told struct{ session, log string }

// SessionID returns the agent's name for the session. It is empty until the agent has
// told it. SessionID is safe for concurrent use.
func (id *identity) SessionID() string {
	if t := id.agent.Load(); t != nil {
		return t.session
	}
	return ""
}

// Transcript returns the path of the session's log. It is empty as long as SessionID
// is. Transcript is safe for concurrent use.
func (id *identity) Transcript() string {
	if t := id.agent.Load(); t != nil {
		return t.log
	}
	return ""
}

// LogID names the session in a log message: by the agent's name, or until that is
// known by ours.
func (id *identity) LogID() slog.Attr {
	session := id.SessionID()
	if session == "" {
		session = id.ours
	}
	return slog.String("session", session)
}

// know is called once, with what is known of the session from then on.
func (id *identity) know(session, log string) {
	id.agent.Store(&told{session, log})
	close(id.known)
}
