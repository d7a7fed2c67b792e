package tuiturn

import (
	"time"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// A rest measures how long the agent has done nothing. A limit on that tells an
// agent that hangs from one that is slow because the machine is busy.
type rest struct {
	pid   int
	began time.Time
	since time.Time
	work  time.Duration // the agent's, then
}

func (p *pane) rest() *rest {
	r := &rest{pid: p.term.Pid(), began: time.Now(), since: time.Now()}
	r.work, _ = proc.WorkTime(r.pid)
	return r
}

// maxRests is how many times its limit an agent may take that works all the while.
const maxRests = 12

// over tells whether the agent has rested for d. One that works for more than a
// fifth of the time, or would if it had a processor, does not rest. Where a system
// does not tell, time alone counts.
func (r *rest) over(d time.Duration) bool {
	still := time.Since(r.since)
	if still < d {
		return false
	}
	work, ok := proc.WorkTime(r.pid)
	if ok && work-r.work > still/5 && time.Since(r.began) < maxRests*d {
		r.since, r.work = time.Now(), work
		return false
	}
	return true
}
