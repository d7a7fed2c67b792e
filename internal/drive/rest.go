package drive

import (
	"time"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// A mark is a time, and the agent's work time until then.
type mark struct {
	at   time.Time
	work time.Duration
}

// mark returns a mark of now.
func (p *Pane) mark() mark {
	work, _ := proc.WorkTime(p.term.Pid())
	return mark{time.Now(), work}
}

func (m mark) set() bool            { return !m.at.IsZero() }
func (m mark) since() time.Duration { return time.Since(m.at) }

// busyShare is the share of its time, 1/busyShare, that a busy process works or waits for
// a core. An idle agent needs some hundredths.
const busyShare = 5

// worked tells whether the agent has been busy since m, or waits for a process that it
// has started since then and that is busy: its editor or a hook. On systems that do not
// tell the work time, the result is false.
func (p *Pane) worked(m mark) bool {
	work, ok := proc.WorkTime(p.term.Pid())
	return m.set() && ok && (work-m.work > m.since()/busyShare || proc.Delegates(p.term.Pid(), m.since(), busyShare))
}

// A rest measures how long the agent has been idle. A timeout on that distinguishes an
// agent that hangs from an agent that is slow on a busy machine.
type rest struct {
	pane  *Pane
	began time.Time
	from  mark
}

func (p *Pane) rest() *rest { return &rest{p, time.Now(), p.mark()} }

// maxRests is the number of timeouts that an agent may use up if it works all the time.
const maxRests = 12

// over tells whether the agent has rested for d.
func (r *rest) over(d time.Duration) bool {
	if r.from.since() < d {
		return false
	}
	if r.pane.worked(r.from) && time.Since(r.began) < maxRests*d {
		r.from = r.pane.mark()
		return false
	}
	return true
}
