package lease

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tuiturn/tuiturn/internal/atomicfile"
)

const (
	prefix   = "tuiturn-" // of a lease's directory
	fileName = "lease"    // in it

	// maxFile is far more than a lease ever says.
	maxFile = 1 << 20
)

// A file is the content of the file "lease", which is JSON.
type file struct {
	ID string `json:"id"`

	// Locked tells that the host has locked the directory. If the directory is then
	// found unlocked, the host is gone.
	Locked bool `json:"locked"`

	// Dev and Ino are the directory's own. A copy of the directory has others, and
	// nobody locks the copy. They are zero in a file of an earlier version.
	Dev uint64 `json:"dev,omitempty"`
	Ino uint64 `json:"ino,omitempty"`

	Servers []SharedServer `json:"servers,omitempty"`
}

// place records the directory that the file is in.
func (c *file) place(dir fs.FileInfo) {
	st := dir.Sys().(*syscall.Stat_t)
	c.Dev, c.Ino = uint64(st.Dev), uint64(st.Ino)
}

// copied tells whether the file was written for another directory than dir. A device may
// get another number at each boot.
func (c file) copied(dir fs.FileInfo, sameBoot bool) bool {
	var now file
	now.place(dir)
	return c.Ino != 0 && (c.Ino != now.Ino || sameBoot && c.Dev != now.Dev)
}

// A SharedServer is a tmux server of somebody else on which the lease has sessions.
type SharedServer struct {
	Socket string `json:"socket"` // absolute
	Tmux   string `json:"tmux"`   // the program, absolute
	Prefix string `json:"prefix"` // of the names of the lease's sessions, [A-Za-z0-9_-]+: for people, it proves nothing
}

func readFile(dir string) (file, identity, error) {
	// No links are followed, and no FIFO is waited for. Only this user can write
	// here, but a file that is not what it should be is left alone.
	f, err := os.OpenFile(filepath.Join(dir, fileName), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return file{}, identity{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return file{}, identity{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return file{}, identity{}, fmt.Errorf("%s is not a file of a lease: mode %v, %d bytes", f.Name(), info.Mode(), info.Size())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return file{}, identity{}, err
	}
	return parseFile(data)
}

func parseFile(data []byte) (file, identity, error) {
	var c file
	if err := json.Unmarshal(data, &c); err != nil {
		return file{}, identity{}, fmt.Errorf("its file %q: %w", fileName, err)
	}
	id, err := parseID(c.ID)
	if err != nil {
		return file{}, identity{}, fmt.Errorf("its file %q: %w", fileName, err)
	}
	return c, id, nil
}

// writeFile replaces the file's content old; nil means that there is no file. If a
// cleaner of temporary files removes the new file before it has its name, or the old
// one, the file is written again.
func writeFile(dir string, c file, old []byte) ([]byte, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	for range maxMade {
		if err = replaceFile(dir, data, old); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if _, gone := os.Lstat(filepath.Join(dir, fileName)); gone != nil {
			old = nil
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %w", err, errTaken)
	case err != nil:
		return nil, err
	}
	return data, nil
}

// replaceFile's error wraps [fs.ErrNotExist] if the new file is gone, or the old.
func replaceFile(dir string, data, old []byte) error {
	path := filepath.Join(dir, fileName)
	p, err := atomicfile.Stage(path, data)
	if err != nil {
		return err
	}
	defer p.Discard()
	ok, err := p.Commit(old)
	if err != nil || ok {
		return err
	}
	if _, err := os.Lstat(path); err != nil {
		return err
	}
	return errors.New("its file " + fileName + " was changed by somebody else")
}
