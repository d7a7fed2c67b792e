package transcript

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Find returns the path of the session's transcript under home, whichever
// working directory the agent was started in. It opens no transcript.
//
// The error wraps [fs.ErrNotExist] where there is none (yet): the agent makes
// the file when it accepts its first prompt. When the session was continued in
// another working directory and several files bear its name, the newest wins.
func Find(home, sessionID string) (string, error) {
	if err := checkSessionID(sessionID); err != nil {
		return "", err
	}
	dir, err := os.Open(projects(home))
	if err != nil {
		return "", fmt.Errorf("find transcript of session %s: %w", sessionID, err)
	}
	defer dir.Close()
	// Names only: neither sorting nor a stat of each folder is needed.
	folders, err := dir.Readdirnames(-1)
	if err != nil {
		return "", fmt.Errorf("find transcript of session %s: %w", sessionID, err)
	}
	var found string
	var newest fs.FileInfo
	for _, folder := range folders {
		// A folder that cannot be read, or a stray file, hides at most itself.
		name := filepath.Join(folder, sessionID+".jsonl")
		if !isFileIn(dir, name) {
			continue
		}
		path := filepath.Join(dir.Name(), name)
		if info, err := os.Stat(path); err == nil && (newest == nil || info.ModTime().After(newest.ModTime())) {
			found, newest = path, info
		}
	}
	if newest == nil {
		return "", notFound(dir.Name(), sessionID)
	}
	return found, nil
}

// FindIn is [Find] for a session whose working directory is known: it looks
// where [Path] says first and scans only when nothing is there. Symbolic links
// in workdir are resolved, as the agent does.
func FindIn(home, workdir, sessionID string) (string, error) {
	if err := checkSessionID(sessionID); err != nil {
		return "", err
	}
	if physical, err := filepath.EvalSymlinks(workdir); err == nil {
		workdir = physical
	}
	path := Path(home, workdir, sessionID)
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return path, nil
	}
	return Find(home, sessionID)
}

func notFound(dir, sessionID string) error {
	return fmt.Errorf("find transcript of session %s: %w", sessionID,
		&fs.PathError{Op: "find", Path: filepath.Join(dir, "*", sessionID+".jsonl"), Err: fs.ErrNotExist})
}

// checkSessionID keeps a session id from naming anything but one file: it is a
// UUID or a token like one.
func checkSessionID(id string) error {
	ok := 0 < len(id) && len(id) <= 128
	for i := range len(id) {
		ok = ok && (isAlphanumeric(id[i]) || id[i] == '-' || id[i] == '_')
	}
	if !ok {
		return fmt.Errorf("find transcript: session id %q is not a UUID: use letters, digits, \"-\" and \"_\"", id)
	}
	return nil
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
