package drive

import (
	"path/filepath"
	"time"

	"github.com/tuiturn/tuiturn/internal/version"
	"github.com/tuiturn/tuiturn/transcript"
)

// The agent's hooks tell what its transcript does not, or later: what it shows
// of an answer, and that it is about to stop. Each hook appends the line of JSON
// that it is given to a file of the turn's, which is followed like a transcript.
// A policy can switch hooks off, a line can be lost, and a tool can write one. So nothing
// rests on a hook alone, with two exceptions: the name of a session that only the agent
// names, and an error that the agent does not record.

func (p *Pane) hooksFile() string { return filepath.Join(p.dir, "hooks.jsonl") }

// reports is the format of the hooks' file.
func (p *Pane) reports() *transcript.Format {
	return &transcript.Format{Decode: p.Agent.Traits().Log.Report}
}

// started takes the agent's name for the session. The first one counts: it comes before
// the first prompt's line, and a tool that the model runs could write another one later.
func (p *Pane) started(s *transcript.Started) {
	if p.SessionID() != "" || s.SessionID == "" || s.Path == "" {
		return
	}
	p.Log.Debug("the agent has named its session", p.LogID(), "name", s.SessionID, "path", s.Path)
	if p.Named != nil {
		p.Named(s.SessionID)
	}
	p.know(s.SessionID, s.Path)
}

// learn looks for the session's name in what has been reported so far. It returns
// where the next report begins.
func (p *Pane) learn() (next int64) {
	if p.SessionID() != "" {
		return FileSize(p.hooksFile())
	}
	for ev, err := range p.reports().Read(p.hooksFile()) {
		if err != nil {
			break // the follower tells
		}
		if s, ok := ev.Body.(*transcript.Started); ok && !ev.Sidechain {
			p.started(s)
		}
		next = ev.End
	}
	return next
}

// hooked takes an event of a hook. In a conversation one of the turn before may
// come late: each is a process of its own, and some are later than the Stop hook
// (2.1.158, 2.1.330).
func (t *Turn) hooked(ev transcript.Event) {
	if t.past[ev.PromptID] || t.past[ev.TurnID] {
		return
	}
	if t.ids != nil && ev.TurnID != "" {
		t.ids[ev.TurnID] = true
	}
	switch b := ev.Body.(type) {
	case *transcript.Started:
		t.started(b)
		t.log.SessionID = t.SessionID()
	case *transcript.APIError:
		if t.entered.again() { // else it is the turn before that has failed
			t.failures = append(t.failures, failure{ev, time.Now()})
		}
	case *transcript.Asked:
		t.asked(b.Pid)
	case *transcript.Shown:
		if t.deltas != nil {
			t.deltas.Show(*b)
		}
	case *transcript.Stopping:
		// Reported by a process of its own, it can be late: the agent may have
		// been told to go on.
		before := t.lastSaid
		t.lastSaid = b.Text
		if t.log.State() == transcript.Working && t.whole() {
			t.lastSaid = before
			return
		}
		t.stopping = !t.log.Told()
		t.stops = ev
		t.conclude()
	}
}

// conclude ends the turn with the report of its only Stop hook, once the transcript says
// the same and all of it has been heard: a message may have lines behind its last text. A
// summary, which nobody needs, follows 0.1 s later (2.1.332). If the answer is streamed,
// the summary is waited for: what the agent has shown may be reported after the Stop hook's
// report, and without a prompt's id.
func (t *Turn) conclude() {
	switch {
	case t.stops.Body == nil, !t.sole, t.deltas != nil, t.doubtful():
	case t.stops.PromptID == "", t.stops.PromptID != t.log.PromptID():
	case t.log.State() != transcript.Final, t.offset < FileSize(t.Transcript()):
	case t.stopsLast() && t.Agent.SoleStop(&t.Start): // as it is now
		t.log.Add(t.stops)
	}
}

// stopsLast tells whether the agent's version has recorded its final message when its Stop
// hook runs.
func (t *Turn) stopsLast() bool {
	since := t.Agent.Traits().StopsLast
	return since != "" && version.AtLeast(t.log.Outcome().Version, since)
}
