package transcript

// A Format is how one agent records its sessions: in which files and in which
// words. A nil *Format is claude's, see [Claude]. A Format must not be changed
// while it is in use.
//
// [Follower], [Format.Read] and [Drift] use a file whose path is known: they need
// Decode only. [Format.Find] and [Format.FindIn] need Dir, and Path or Name.
type Format struct {
	// Dir returns the directory that has the sessions of a home.
	Dir func(home string) string

	// Path returns where the agent records the session when it was started in
	// workdir: a file in a directory below Dir. The file's name must depend on
	// the session only. Path is nil for an agent that alone knows the path, such
	// as one that names its own sessions.
	Path func(home, workdir, sessionID string) string

	// Name returns the session whose file has that name (without a directory).
	// Where the name holds only the beginning of the session's id, Name returns
	// the beginning. It returns false for a file that is no session.
	Name func(file string) (sessionID string, ok bool)

	// Decode reads one line, as [Decode] does for claude. It never fails.
	Decode func(line []byte) Event

	// Report reads one line that a hook of the agent's has appended to a file. It
	// never fails. A line of a subagent has [Event].Sidechain set. If nil, the
	// agent has no hooks.
	Report func(line []byte) Event

	// Drift names what the line holds that is not known of the agent, for
	// [Drift.Counts]. If nil, nothing is counted.
	Drift func(ev Event) []string
}

// orDefault is f, or the format that a nil *Format stands for.
func (f *Format) orDefault() *Format {
	if f == nil {
		return &defaultFormat
	}
	return f
}
