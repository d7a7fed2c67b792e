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

// A Session is a transcript of claude's on disk.
type Session struct {
	ID   string
	Path string

	// Folder is the name of the transcript's directory. claude makes the name from
	// its working directory and writes "-" for every character but letters and
	// digits. So different working directories can have the same Folder.
	Folder string

	Size    int64     // of the transcript, in bytes
	ModTime time.Time // when the last line was written
}

// Sessions yields every session of home, in the order of the folders' names. It opens
// no transcript and follows no symbolic link. If no agent has run in the home,
// Sessions yields nothing.
//
// If a folder or a file cannot be read, Sessions yields an error with a Session that
// has at most its Folder, and goes on. It leaves out what somebody removes meanwhile.
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

// Newest returns the session that was written last in workdir, or in a working
// directory with the same [Session].Folder. It resolves symbolic links in workdir, as
// claude does. If there is no session, the error wraps [fs.ErrNotExist].
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

// readDir is os.ReadDir. A directory that does not exist is empty.
func readDir(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}
