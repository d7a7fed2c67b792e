package transcript

import (
	"log/slog"
	"maps"
	"strings"
	"sync"
)

const (
	maxDrifts    = 100 // names; a format that changes completely must not fill memory
	maxDriftName = 96  // bytes of a name, part of which comes from the transcript
	otherDrifts  = "other"
)

// Drift counts what is new in transcripts: types of lines, blocks and stop reasons
// that the agent was not known to write, and missing fields. Of claude the formats of
// 2.1.104, 2.1.158 and 2.1.330 are known. Drift stops no [Follower] and changes no
// outcome. It tells an operator that a new version of the agent writes another
// format, before that does harm.
//
// The zero value is ready for use. A Drift is safe for concurrent use: all
// followers of a program can share one. It counts up to a hundred names; it counts
// further names as "other".
type Drift struct {
	// Log, if not nil, receives each name once, at level Debug.
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

// Add counts what is new in ev, an event of claude's. ev must still have its Raw,
// which tells a missing field from null.
func (d *Drift) Add(ev Event) { d.add(&defaultFormat, ev) }

func (d *Drift) add(f *Format, ev Event) {
	if f.Drift == nil {
		return
	}
	for _, what := range f.Drift(ev) {
		what, first := d.note(strings.ToValidUTF8(what[:min(len(what), maxDriftName)], ""))
		if first && d.Log != nil { // unlocked: a handler may want the Counts
			d.Log.Debug("the transcript's format is not the known one", "what", what, "version", ev.Version, "session", ev.SessionID, "offset", ev.Offset)
		}
	}
}

// note counts what. It returns the name that it has counted and whether the name
// is new.
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
