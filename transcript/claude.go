package transcript

import "strings"

// Claude returns the format of claude 2.1.104 to 2.1.330. Each call returns a new
// copy, which the caller may change.
func Claude() *Format {
	f := defaultFormat
	return &f
}

// defaultFormat is what a nil *Format stands for.
var defaultFormat = Format{
	Dir:    projects,
	Path:   Path,
	Name:   claudeName,
	Decode: Decode,
	Report: claudeReport,
	Drift:  claudeDrift,
}

// claudeName is Format.Name. A subagent's transcript is no session. 2.1.104 and later
// keep it in a directory of its session; older versions kept it beside the sessions.
func claudeName(file string) (sessionID string, ok bool) {
	id, ok := strings.CutSuffix(file, ".jsonl")
	if !ok || checkSessionID(id) != nil || strings.HasPrefix(id, "agent-") {
		return "", false
	}
	return id, true
}
