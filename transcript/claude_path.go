package transcript

import (
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf16"
)

// maxFolder is the longest name of a folder, in UTF-16 units. claude cuts a longer name
// there and appends a hash of the whole path.
const maxFolder = 200

// Path returns where claude writes the transcript of a session that it started in
// workdir, with home as its home. Path does no I/O.
//
// claude resolves its working directory first. So workdir must be absolute and free
// of symbolic links (see [filepath.EvalSymlinks]). If the directory's name is not in
// Unicode NFC, the versions differ: 2.1.104 normalises the name, 2.1.330 and Path do
// not. For such a directory use [FindIn], which also scans the home.
func Path(home, workdir, sessionID string) string {
	return filepath.Join(projects(home), folder(workdir), sessionID+".jsonl")
}

func projects(home string) string { return filepath.Join(home, ".claude", "projects") }

// folder returns the folder's name as claude makes it. claude replaces every UTF-16
// unit but [a-zA-Z0-9] by "-", with a JavaScript regular expression. So a character
// beyond the basic plane becomes "--".
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
