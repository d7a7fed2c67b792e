package transcript

import (
	"path/filepath"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// watches is the process's only watcher, whatever the number of followers:
// fs.inotify.max_user_instances can be as low as 128 for all programs of a
// user. It exists while somebody watches.
var watches registry

var newWatcher = fsnotify.NewWatcher // replaced by a test

// A registry shares one watcher among many watches.
type registry struct {
	mu      sync.Mutex
	watcher *fsnotify.Watcher
	done    chan struct{} // closed when watcher's loop has ended
	dirs    map[string]map[*watch]struct{}
}

// A watch reports changes of one name in one directory.
type watch struct {
	dir, name string

	// C receives after a change. Several changes may make one value.
	C chan struct{}
}

// add watches name in dir, which must exist. The directory and not the file is
// watched, because the file may not exist, and may be replaced.
func (r *registry) add(dir, name string) (*watch, error) {
	wait := func() {}
	defer func() { wait() }()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watcher == nil {
		w, err := newWatcher()
		if err != nil {
			return nil, err
		}
		r.watcher, r.done = w, make(chan struct{})
		r.dirs = make(map[string]map[*watch]struct{})
		go r.loop(w, r.done)
	}
	w := &watch{filepath.Clean(dir), name, make(chan struct{}, 1)}
	// Again for a directory that is watched already: it may have been removed
	// and made anew, and then the kernel has dropped its watch.
	if err := r.watcher.Add(w.dir); err != nil {
		wait = r.release()
		return nil, err
	}
	if r.dirs[w.dir] == nil {
		r.dirs[w.dir] = make(map[*watch]struct{})
	}
	r.dirs[w.dir][w] = struct{}{}
	return w, nil
}

// remove ends w. When it returns, nothing of w is left, and nothing of the
// watcher either if w was the last.
func (r *registry) remove(w *watch) {
	r.mu.Lock()
	delete(r.dirs[w.dir], w)
	if len(r.dirs[w.dir]) == 0 {
		delete(r.dirs, w.dir)
		// Fails only when the directory is gone, and the kernel's watch with it.
		_ = r.watcher.Remove(w.dir)
	}
	wait := r.release()
	r.mu.Unlock()
	wait()
}

// release closes the watcher if nothing is watched any more. The caller holds
// mu and calls the result without it: the loop may need mu to end.
func (r *registry) release() (wait func()) {
	if len(r.dirs) > 0 || r.watcher == nil {
		return func() {}
	}
	w, done := r.watcher, r.done
	r.watcher = nil
	return func() {
		_ = w.Close()
		<-done
	}
}

func (r *registry) loop(w *fsnotify.Watcher, done chan struct{}) {
	defer close(done)
	for {
		select {
		case ev, ok := <-w.Events:
			if !ok {
				return
			}
			r.mu.Lock()
			if r.watcher == w {
				r.dispatch(ev.Name)
			}
			r.mu.Unlock()
		case _, ok := <-w.Errors:
			if !ok {
				return
			}
			// Events were lost (the queue overflowed): everyone looks.
			r.mu.Lock()
			if r.watcher == w {
				for _, dir := range r.dirs {
					for w := range dir {
						w.notify()
					}
				}
			}
			r.mu.Unlock()
		}
	}
}

// dispatch tells those who watch path, or whose directory path is.
func (r *registry) dispatch(path string) {
	for w := range r.dirs[path] {
		w.notify()
	}
	name := filepath.Base(path)
	for w := range r.dirs[filepath.Dir(path)] {
		if w.name == name {
			w.notify()
		}
	}
}

func (w *watch) notify() {
	select {
	case w.C <- struct{}{}:
	default:
	}
}
