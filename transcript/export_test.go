package transcript

import (
	"errors"
	"io"

	"github.com/fsnotify/fsnotify"
)

// BreakNotification makes the system refuse watchers until restore is called.
func BreakNotification() (restore func()) {
	old := newWatcher
	newWatcher = func() (*fsnotify.Watcher, error) { return nil, errors.New("too many open files") }
	return func() { newWatcher = old }
}

var LineType = lineType

// ReadLines cuts everything r has, and tells how many bytes of an unfinished
// line are left.
func ReadLines(r io.Reader) (whole []string, held int) {
	var l lines
	for {
		_, err := l.fill(r)
		for line, _, ok := l.next(); ok; line, _, ok = l.next() {
			whole = append(whole, string(line)+"\n")
		}
		if err != nil {
			return whole, int(l.end() - l.offset)
		}
	}
}
