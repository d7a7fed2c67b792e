package drive

import (
	"time"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// A mark is a moment, and how long the agent had worked until then.
type mark struct {
	at   time.Time
	work time.Duration
}

// mark is now.
func (p *Pane) mark() mark {
	work, _ := proc.WorkTime(p.term.Pid())
	return mark{time.Now(), work}
}

func (m mark) set() bool            { return !m.at.IsZero() }
func (m mark) since() time.Duration { return time.Since(m.at) }

// worked tells whether the agent has worked for more than a fifth of the time since
// then, or would have if it had a processor. To wait takes some hundredths. Where a
// system does not tell, the agent has not.
func (p *Pane) worked(m mark) bool {
	work, ok := proc.WorkTime(p.term.Pid())
	return ok && work-m.work > m.since()/5
}

// A rest measures how long the agent has done nothing. A limit on that tells an
// agent that hangs from one that is slow because the machine is busy.
type rest struct {
	pane  *Pane
	began time.Time
	from  mark
}

func (p *Pane) rest() *rest { return &rest{p, time.Now(), p.mark()} }

// maxRests is how many times its limit an agent may take that works all the while.
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
