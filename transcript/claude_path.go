package transcript

import (
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf16"
)

// maxFolder is the longest folder name, in UTF-16 units, that the agent uses
// as it is. A longer one is cut there and gets a hash of the whole path.
const maxFolder = 200

// Path is where the agent writes the session's transcript when its home is
// home and it was started in workdir. Path does no I/O.
//
// The agent resolves its working directory first, so workdir must be absolute
// and free of symbolic links (see [filepath.EvalSymlinks]). For a directory
// whose name is not in Unicode NFC the versions differ (2.1.104 normalises it,
// 2.1.330 and Path do not): there [FindIn] finds the transcript by its scan.
func Path(home, workdir, sessionID string) string {
	return filepath.Join(projects(home), folder(workdir), sessionID+".jsonl")
}

func projects(home string) string { return filepath.Join(home, ".claude", "projects") }

// folder is the agent's own mapping, in its own terms: a JavaScript regular
// expression replaces every UTF-16 unit but [a-zA-Z0-9] by "-", so a character
// beyond the basic plane becomes two.
func folder(workdir string) string {
	var b strings.Builder
	var hash int32
	for _, u := range utf16.Encode([]rune(workdir)) {
		hash = hash<<5 - hash + int32(u)
		if u < 0x80 && isAlphanumeric(byte(u)) {
			b.WriteByte(byte(u))
		} else {
			b.WriteByte('-')
		}
	}
	name := b.String()
	if len(name) <= maxFolder {
		return name
	}
	abs := int64(hash)
	if abs < 0 {
		abs = -abs
	}
	return name[:maxFolder] + "-" + strconv.FormatInt(abs, 36)
}
