package tuiauth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"syscall"
)

// A finding is a key of a settings file that affects the choice of the credential.
type finding struct {
	meaning
	file string
	key  string
}

func (f finding) String() string { return f.key + " in " + f.file }

// scanFile lists the findings in the settings file at path, and tells whether the
// file exists. A file that can't be read is an error, because nobody knows what the
// agent would do with it.
func (l *Layout) scanFile(path string) (found []finding, there bool, err error) {
	target, err := follow(path)
	var names map[string]string
	if err == nil {
		err = settled(context.Background(), target, func(doc []byte) (err error) {
			if there = doc != nil; !there {
				return nil
			}
			if names, err = l.Scan(path, doc); err != nil {
				err = fmt.Errorf("%s: %w; repair the file or move it away", path, err)
			}
			return err
		})
	}
	if err != nil && !isMissing(err) {
		return nil, there, err
	}
	for _, key := range slices.Sorted(maps.Keys(names)) {
		if m := l.setting(key, names[key]); m.effect != harmless {
			found = append(found, finding{m, path, key})
		}
	}
	return found, there, nil
}

// isMissing tells whether a file does not exist, also because a directory above it is
// a file.
func isMissing(err error) bool {
	return err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
