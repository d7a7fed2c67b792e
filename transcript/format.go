package transcript

// A Format describes how one agent records its sessions: the files and the lines. A
// nil *Format describes claude (see [Claude]). A Format must not be changed while
// somebody uses it; its functions must be safe for concurrent use.
//
// [Follower] and [Format.Read] need only Decode. [Format.Find] and [Format.FindIn]
// need Dir, and Path or Name.
type Format struct {
	// Dir returns the directory that holds all sessions of a home, at any depth if
	// Path is nil.
	Dir func(home string) string

	// Path returns the path of a session's transcript. The agent was started in
	// workdir. The path must be Dir/FOLDER/FILE, where FILE depends on sessionID
	// alone. If nil, only the agent knows the path: it names its sessions itself, or
	// puts the time into the name.
	Path func(home, workdir, sessionID string) string

	// Name returns the id of the session in a file with that name, which has no
	// directory. If the name has only the beginning of the id, Name returns that. It
	// returns false if the file is no session.
	Name func(file string) (sessionID string, ok bool)

	// Decode decodes one line, without its newline. It never fails: see Unknown and
	// Malformed. The event's Raw is line itself; its other fields hold copies.
	Decode func(line []byte) Event

	// Report is Decode for a line that a hook of the agent has appended to a file
	// (see Started, Shown, Stopping and Asked; an agent that records no errors can
	// report an APIError). The event of a subagent's hook has Sidechain set. If nil,
	// the agent has no hooks.
	Report func(line []byte) Event

	// Drift returns names for what the agent was not known to write, as Drift.Counts
	// has them. It returns nil for a known line. If the function is nil, a Drift
	// counts nothing.
	Drift func(ev Event) []string
}

// orDefault returns f, or the default format if f is nil.
func (f *Format) orDefault() *Format {
	if f == nil {
		return &defaultFormat
	}
	return f
}
