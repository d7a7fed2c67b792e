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

// attention is how much of the time between two looks counts as seen. A host that was
// stopped, or a machine that was paused, has not seen that an agent rested meanwhile: it
// may have been paused, too.
const attention = 500 * time.Millisecond

// A gap is the part of the time between two looks that does not count, and what the
// agent has worked in it.
type gap struct{ time, work time.Duration }

// gap returns what of the time since the last look does not count.
func (p *Pane) gap(last mark) gap {
	if !last.set() || last.since() <= attention {
		return gap{}
	}
	now := p.mark()
	all := now.at.Sub(last.at)
	unseen := all - attention
	return gap{unseen, time.Duration(float64(now.work-last.work) * float64(unseen) / float64(all))}
}

// skip leaves a gap out of what has passed since m.
func (m *mark) skip(g gap) {
	if m.set() {
		m.at, m.work = m.at.Add(g.time), m.work+g.work
	}
}

func (m mark) set() bool            { return !m.at.IsZero() }
func (m mark) since() time.Duration { return time.Since(m.at) }

// busyShare is the share of its time, 1/busyShare, that a busy process works or waits for
// a core. An idle agent needs some hundredths.
const busyShare = 5

// worked tells whether the agent has been busy since m. On systems that do not tell the
// work time, the result is false.
func (p *Pane) worked(m mark) bool {
	work, ok := proc.WorkTime(p.term.Pid())
	return m.set() && ok && work-m.work > m.since()/busyShare
}

// busy tells whether the agent has worked since m, or waits for a disk, or for a process
// that it has started since then and that is busy: its editor or a hook. It opens a file
// for each thread of the agent and of its children, so it is for conclusions, not for
// each look.
func (p *Pane) busy(m mark) bool {
	pid := p.term.Pid()
	return p.worked(m) || proc.Waits(pid) || m.set() && proc.Delegates(pid, m.since(), busyShare)
}

// A rest measures how long the agent has been idle. A timeout on that distinguishes an
// agent that hangs from an agent that is slow on a busy machine.
type rest struct {
	pane  *Pane
	began time.Time
	asked mark // when over was called last
	from  mark
}

func (p *Pane) rest() *rest {
	now := p.mark()
	return &rest{p, now.at, now, now}
}

// maxRests is the number of timeouts that an agent may use up if it works all the time.
const maxRests = 12

// over tells whether the agent has rested for d. It must be called often.
func (r *rest) over(d time.Duration) bool {
	gap := r.pane.gap(r.asked)
	r.from.skip(gap)
	r.began = r.began.Add(gap.time)
	r.asked = r.pane.mark()
	if r.from.since() < d {
		return false
	}
	if r.pane.busy(r.from) && time.Since(r.began) < maxRests*d {
		r.from = r.pane.mark()
		return false
	}
	return true
}
