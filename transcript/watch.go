package transcript

import (
	"path/filepath"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// watches has the only watcher of the process. All followers share the watcher,
// because fs.inotify.max_user_instances can be as low as 128 for all programs of a
// user. The watcher exists while somebody watches.
var watches registry

var newWatcher = fsnotify.NewWatcher // replaced by a test

// A registry shares one watcher among many watches.
type registry struct {
	mu      sync.Mutex
	watcher *fsnotify.Watcher
	done    chan struct{} // closed after the watcher's loop has ended
	dirs    map[string]map[*watch]struct{}
}

// A watch reports changes of one name in one directory.
type watch struct {
	dir, name string

	// C receives a value after a change. Several changes may send one value.
	C chan struct{}
}

// add watches name in dir. The directory must exist. add watches the directory and
// not the file, because the file may not exist yet, or another file may replace it.
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
	// Add also a directory that is watched already. Somebody may have removed it
	// and made it again, and then the kernel has dropped its watch.
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

// remove ends w. If w was the last watch, remove closes the watcher and waits for the
// watcher's loop to end.
func (r *registry) remove(w *watch) {
	r.mu.Lock()
	delete(r.dirs[w.dir], w)
	if len(r.dirs[w.dir]) == 0 {
		delete(r.dirs, w.dir)
		// Fails only if the directory is gone. Then the kernel's watch is gone, too.
		_ = r.watcher.Remove(w.dir)
	}
	wait := r.release()
	r.mu.Unlock()
	wait()
}

// release closes the watcher if nobody watches any more. The caller holds mu. It
// calls wait without mu, because the loop may need mu to end.
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
			// The queue overflowed and events were lost: notify every watch.
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

// dispatch notifies the watches of path, and those in path if it is a directory.
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
