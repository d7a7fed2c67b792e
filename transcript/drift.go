package transcript

import (
	"log/slog"
	"maps"
	"strings"
	"sync"
)

const (
	maxDrifts    = 100 // names; a format that changes completely must not fill memory
	maxDriftName = 64  // bytes of a name that come from the transcript
	otherDrifts  = "other"
)

// Drift counts what claude 2.1.104, 2.1.158 and 2.1.330 do not write: types of
// lines, of blocks and of stops that are new, and fields that are missing. None
// of it stops a [Follower] or changes an outcome; it tells an operator that a
// new version of the agent writes another format before that hurts.
//
// The zero value is ready for use. A Drift is safe for concurrent use, and meant
// to be shared by all followers of a program. It counts up to a hundred names,
// and further ones as "other".
type Drift struct {
	// Log, if not nil, is told of each name once, at level Debug.
	Log *slog.Logger

	mu     sync.Mutex
	counts map[string]int64
}

// Counts returns how often each thing was seen: "unknown type x", "unknown
// subtype x", "unknown block x", "unknown stop_reason x", "missing message.id",
// "malformed line" and the like. It is empty while the format is the known one.
func (d *Drift) Counts() map[string]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.counts)
}

// count counts what, which name, a word from the transcript, completes.
func (d *Drift) count(ev Event, what, name string) {
	what, first := d.note(what + strings.ToValidUTF8(name[:min(len(name), maxDriftName)], ""))
	if first && d.Log != nil { // unlocked: a handler may want the Counts
		d.Log.Debug("the transcript's format is not the known one", "what", what, "version", ev.Version, "session", ev.SessionID, "offset", ev.Offset)
	}
}

// note counts what, and returns what it counts as and whether it is the first.
func (d *Drift) note(what string) (counted string, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counts == nil {
		d.counts = make(map[string]int64)
	}
	if d.counts[what] == 0 && len(d.counts) >= maxDrifts {
		what = otherDrifts
	}
	d.counts[what]++
	return what, d.counts[what] == 1
}
