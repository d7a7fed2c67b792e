package tmuxctl

import "sync"

// maxNotices is the number of notifications that can wait for one listener.
const maxNotices = 64

// listeners are the channels that receive a server's notifications.
type listeners struct {
	mu  sync.Mutex
	all map[chan string]struct{}
}

// listen returns the server's notifications from now on, a line each, such as
// "%sessions-changed". They are hints to look, not a record. A notification is
// dropped while maxNotices wait to be received, and none comes while there is no
// connection. stop ends it.
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
