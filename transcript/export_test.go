package transcript

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/fsnotify/fsnotify"
)

// BreakNotification makes every new watcher fail until restore is called.
func BreakNotification() (restore func()) {
	old := newWatcher
	newWatcher = func() (*fsnotify.Watcher, error) { return nil, errors.New("too many open files") }
	return func() { newWatcher = old }
}

// MuteNotification changes the watchers that are made until restore is called. After
// mute they send nothing, as on a network file system.
func MuteNotification() (mute, restore func()) {
	old := newWatcher
	var muted atomic.Bool
	newWatcher = func() (*fsnotify.Watcher, error) {
		w, err := old()
		if err != nil {
			return nil, err
		}
		heard := w.Events
		w.Events = make(chan fsnotify.Event)
		go func(out chan<- fsnotify.Event) {
			defer close(out)
			for ev := range heard {
				if !muted.Load() {
					out <- ev
				}
			}
		}(w.Events)
		return w, nil
	}
	return func() { muted.Store(true) }, func() { newWatcher = old }
}

// ReadLines returns the complete lines of r, and how many bytes of an incomplete line
// are left.
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
