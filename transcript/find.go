package transcript

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Find returns the path of a session's transcript under home, whatever working
// directory the agent was started in. Find opens no transcript.
//
// If there is no transcript, the error wraps [fs.ErrNotExist]. The agent makes the
// file when it accepts its first prompt. If a session was continued in another
// working directory and several files have its name, Find returns the newest.
func Find(home, sessionID string) (string, error) { return defaultFormat.Find(home, sessionID) }

// FindIn is [Find] for a session whose working directory is known. It tries [Path]
// first, and scans the home only if there is no file. It resolves symbolic links in
// workdir, as the agent does.
func FindIn(home, workdir, sessionID string) (string, error) {
	return defaultFormat.FindIn(home, workdir, sessionID)
}

// Find is [Find] for the sessions of f's agent.
func (f *Format) Find(home, sessionID string) (string, error) {
	f = f.orDefault()
	if err := checkSessionID(sessionID); err != nil {
		return "", err
	}
	search := f.walk
	if f.Path != nil {
		search = f.scan
	}
	var newest candidate
	pattern, err := search(home, sessionID, &newest)
	if err == nil && newest.info == nil {
		err = &fs.PathError{Op: "find", Path: pattern, Err: fs.ErrNotExist}
	}
	if err != nil {
		return "", fmt.Errorf("find transcript of session %s: %w", sessionID, err)
	}
	return newest.path, nil
}

// FindIn is [FindIn] for the sessions of f's agent. If only the agent knows the
// path, FindIn is Find.
func (f *Format) FindIn(home, workdir, sessionID string) (string, error) {
	f = f.orDefault()
	if err := checkSessionID(sessionID); err != nil {
		return "", err
	}
	if f.Path == nil {
		return f.Find(home, sessionID)
	}
	if physical, err := filepath.EvalSymlinks(workdir); err == nil {
		workdir = physical
	}
	path := f.Path(home, workdir, sessionID)
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return path, nil
	}
	return f.Find(home, sessionID)
}

// A candidate is a file with the name of the session.
type candidate struct {
	path string
	info fs.FileInfo // nil if there is no file
}

// offer makes the file at path the candidate if it is newer.
func (c *candidate) offer(path string) {
	info, err := os.Stat(path)
	if err == nil && (c.info == nil || info.ModTime().After(c.info.ModTime())) {
		*c = candidate{path, info}
	}
}

// scan looks for the session's file in each directory in f.Dir. It returns the
// pattern of the paths where it looked.
func (f *Format) scan(home, sessionID string, newest *candidate) (pattern string, err error) {
	dir, err := os.Open(f.Dir(home))
	if err != nil {
		return "", err
	}
	defer dir.Close()
	// Names only: neither sorting nor a stat of each folder is needed.
	folders, err := dir.Readdirnames(-1)
	if err != nil {
		return "", err
	}
	file := filepath.Base(f.Path(home, "", sessionID))
	for _, folder := range folders {
		// A folder that cannot be read, or a stray file, hides only itself.
		if name := filepath.Join(folder, file); isFileIn(dir, name) {
			newest.offer(filepath.Join(dir.Name(), name))
		}
	}
	return filepath.Join(dir.Name(), "*", file), nil
}

// walk looks for a file with the session's name anywhere below f.Dir.
func (f *Format) walk(home, sessionID string, newest *candidate) (pattern string, err error) {
	dir := f.Dir(home)
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil && name != "." {
			return nil // a folder that cannot be read hides only itself
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if id, ok := f.Name(entry.Name()); ok && id != "" && strings.HasPrefix(sessionID, id) {
			newest.offer(filepath.Join(dir, filepath.FromSlash(name)))
		}
		return nil
	})
	return filepath.Join(dir, "**", "*"+sessionID+"*"), err
}

// checkSessionID refuses an id that could name anything but one file. A session id is
// a UUID or a similar token.
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
