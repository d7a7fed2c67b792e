package tmuxctl

import "sync"

// maxNotices is how many notifications wait for one listener.
const maxNotices = 64

// listeners are those who want to hear a server's notifications.
type listeners struct {
	mu  sync.Mutex
	all map[chan string]struct{}
}

// listen returns the server's notifications from now on, a line each, such as
// "%sessions-changed". They are hints to look, not a record: those that come
// while maxNotices wait to be received are dropped, and so is what happens while
// there is no connection. stop ends it.
func (l *listeners) listen() (notices <-chan string, stop func()) {
	c := make(chan string, maxNotices)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[chan string]struct{}{}
	}
	l.all[c] = struct{}{}
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.all, c)
	}
}

func (l *listeners) tell(notice string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.all {
		select {
		case c <- notice:
		default:
		}
	}
}
