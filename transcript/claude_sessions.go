package transcript

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"
)

// A Session is a transcript as it lies on disk.
type Session struct {
	ID   string
	Path string

	// Folder is the name of the directory that it is in, which the agent makes
	// of its working directory. Different working directories can have the same:
	// the agent writes "-" for every character but letters and digits.
	Folder string

	Size    int64     // of the transcript, in bytes
	ModTime time.Time // of its last line
}

// Sessions yields every session of home, in the order of the folders' names. It
// opens no transcript and follows no symbolic link. In a home where no agent has
// run there are none.
//
// What cannot be read is an error with a Session that has at most its Folder;
// the next folder follows. What is removed meanwhile is left out.
func Sessions(home string) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		folders, err := readDir(projects(home))
		if err != nil {
			yield(Session{}, fmt.Errorf("list sessions: %w", err))
			return
		}
		for _, f := range folders {
			if !f.IsDir() {
				continue
			}
			for s, err := range sessionsIn(projects(home), f.Name()) {
				if !yield(s, err) {
					return
				}
			}
		}
	}
}

// Newest returns the session that was written to last of those whose working
// directory was workdir, or one with the same [Session.Folder]. Symbolic links
// in workdir are resolved, as the agent does. The error wraps [fs.ErrNotExist]
// where there is none.
func Newest(home, workdir string) (Session, error) {
	if physical, err := filepath.EvalSymlinks(workdir); err == nil {
		workdir = physical
	}
	var newest Session
	var errs error
	for s, err := range sessionsIn(projects(home), folder(workdir)) {
		errs = errors.Join(errs, err)
		if err == nil && (newest.ID == "" || s.ModTime.After(newest.ModTime)) {
			newest = s
		}
	}
	switch {
	case errs != nil:
		return Session{}, errs
	case newest.ID == "":
		return Session{}, fmt.Errorf("find newest session of %s: %w", workdir,
			&fs.PathError{Op: "find", Path: filepath.Join(projects(home), folder(workdir), "*.jsonl"), Err: fs.ErrNotExist})
	}
	return newest, nil
}

func sessionsIn(dir, folder string) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		files, err := readDir(filepath.Join(dir, folder))
		if err != nil {
			yield(Session{Folder: folder}, fmt.Errorf("list sessions: %w", err))
			return
		}
		for _, f := range files {
			id, ok := claudeName(f.Name())
			if !ok || !f.Type().IsRegular() {
				continue
			}
			info, err := f.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			s := Session{ID: id, Path: filepath.Join(dir, folder, f.Name()), Folder: folder}
			if err != nil {
				s, err = Session{Folder: folder}, fmt.Errorf("list sessions: %w", err)
			} else {
				s.Size, s.ModTime = info.Size(), info.ModTime()
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// readDir is os.ReadDir of a directory that may not exist.
func readDir(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}
