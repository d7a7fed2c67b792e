package drive

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/tuiturn/tuiturn/transcript"
)

// An ear hears all that an agent tells of a turn: the lines of its transcript, what
// its hooks report, and its end.
type ear struct {
	sounds  chan sound       // see maxUnheard
	ended   <-chan struct{}  // the agent has ended; nil once that is known
	drained <-chan time.Time // then: what it wrote last has been read
}

// maxUnheard is how many sounds may wait to be heard. While the turn looks at the screen
// of a busy machine, for seconds, the agent may tell more than one.
const maxUnheard = 64

// A sound is a line of the transcript, what a hook reports, or why nothing will be
// heard any more.
type sound struct {
	event transcript.Event
	hook  bool // a hook reports it
	err   error
}

// past is a moment that has been.
var past = func() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}()

// heard is what a wait ended with.
type heard int

const (
	other  heard = iota // something that is no line
	line                // a line of the transcript
	ticked              // the tick
	called              // until was closed
)

// hear waits for the next sound and takes it, or for tick, or until until is closed,
// each of which may be nil. An agent that has ended may have told something before:
// the error is os.ErrProcessDone when all of that has been heard. Otherwise it is one
// of reading, or of ctx.
func (t *Turn) hear(ctx context.Context, tick <-chan time.Time, until <-chan struct{}) (heard, error) {
	select {
	case s := <-t.ear.sounds:
		return t.heed(s)
	case <-tick:
		return ticked, nil
	case <-until:
		return called, nil
	case <-t.ear.ended:
		t.ear.ended, t.ear.drained = nil, time.After(2*transcript.DefaultSettle)
		return other, nil // the caller may have no use for what comes
	case <-t.ear.drained:
		t.ear.drained = past // for who asks again
		select {
		case s := <-t.ear.sounds: // the caller was long away
			return t.heed(s)
		default:
			return other, os.ErrProcessDone
		}
	case <-ctx.Done():
		return other, Why(ctx)
	}
}

// catchUp takes what has been told by now and tells whether a line was among it. What the
// agent tells counts before what its screen shows, so it follows each look that something
// is concluded from: the look may have taken seconds.
func (t *Turn) catchUp() (lines bool, _ error) {
	for range len(t.ear.sounds) {
		heard, err := t.heed(<-t.ear.sounds)
		if err != nil {
			return lines, err
		}
		lines = lines || heard == line
		if t.log.Done() { // what comes behind is not of this turn
			break
		}
	}
	return lines, nil
}

// heed takes a sound.
func (t *Turn) heed(s sound) (heard, error) {
	switch {
	case s.err != nil:
		return other, s.err
	case s.hook:
		t.hooked(s.event)
		return other, nil
	}
	t.offset = s.event.End
	isLine := t.take(s.event)
	t.conclude()
	if isLine {
		return line, nil
	}
	return other, nil
}

// deaf tells whether the agent has ended, and what it wrote last is still to be read.
func (t *Turn) deaf() bool { return t.ear.ended == nil }

// newLog begins to gather what the transcript tells of the turn.
func (t *Turn) newLog() {
	t.sole = t.sole && !t.isCommand()
	t.stopping, t.lastSaid, t.stops = false, "", transcript.Event{}
	t.log = &transcript.Turn{SessionID: t.SessionID(), Match: t.isPrompt, Settle: -1, SoleStop: true}
	if t.OnDelta != nil {
		t.deltas = transcript.NewDeltas(t.log)
	}
}

// follow begins to read the transcript and what the hooks report, mostly from
// before there is any, until stop is called. The transcript is read once its path is
// known.
func (t *Turn) follow(ctx context.Context) (stop func()) {
	next := t.learn()
	t.newLog()
	t.ear = ear{sounds: make(chan sound, maxUnheard), ended: t.term.Done()}
	// Not with the turn: an agent that is told to stop has something to say.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	hear := func(s sound) bool {
		select {
		case t.ear.sounds <- s:
			return true
		case <-ctx.Done():
			return false
		}
	}
	lines := transcript.Follower{
		Format: t.Agent.Traits().Log,
		Offset: t.offset,
		Idle:   transcript.DefaultSettle,
		Drift:  t.Drift,
		Log:    t.Log,
	}
	reports := transcript.Follower{
		Format: t.reports(),
		Path:   t.hooksFile(),
		Offset: next,
		Log:    t.Log,
	}
	t.release() // what was asked since the last turn
	var following sync.WaitGroup
	following.Go(func() {
		select {
		case <-t.known:
		case <-ctx.Done():
			return
		}
		lines.Path = t.Transcript()
		for ev, err := range lines.Events(ctx) {
			if err != nil {
				hear(sound{err: err})
				return
			}
			ev.Raw = nil // valid only inside this loop
			if !hear(sound{event: ev}) {
				return
			}
		}
	})
	following.Go(func() { t.followReports(ctx, &reports, hear) })
	return func() {
		cancel()
		following.Wait()
		t.dismiss()
	}
}

// followReports reads what the hooks report. A hook makes a file that a cleaner has
// removed again, and that file is read from its beginning.
func (t *Turn) followReports(ctx context.Context, reports *transcript.Follower, hear func(sound) bool) {
	for ours := true; ; ours = false {
		err := t.hearReports(ctx, reports, ours, hear)
		changed := errors.Is(err, transcript.ErrRemoved) || errors.Is(err, transcript.ErrReplaced) || errors.Is(err, transcript.ErrTruncated)
		switch {
		case err == nil || ctx.Err() != nil:
			return
		case t.SessionID() == "": // nothing else tells where the transcript is
			if changed {
				err = Cleaned(reports.Path)
			}
			hear(sound{err: err})
			return
		case changed:
			t.Log.Warn("what the agent's hooks reported was removed; what they report from now on is read", t.LogID(), "error", err)
			reports.Offset = 0
		default:
			t.Log.Warn("what the agent's hooks report is not read any more", t.LogID(), "error", err)
			return
		}
	}
}

// hearReports reads the hooks' file until nobody hears or an error ends that. A file that
// may not be ours is read only while the place is: anybody may take the name of a lost one.
func (t *Turn) hearReports(ctx context.Context, reports *transcript.Follower, ours bool, hear func(sound) bool) error {
	for ev, err := range reports.Events(ctx) {
		if err == nil && !ours {
			// Not before there is a file: the check makes the lease's file again, in the
			// way of who is just removing everything.
			err = t.Place.Lease.Check()
		}
		if err != nil {
			return err
		}
		// What a subagent's hook reports is not for the turn.
		if _, torn := ev.Body.(*transcript.Malformed); torn || ev.Sidechain {
			continue
		}
		ev.Raw = nil // valid only inside this loop
		if !hear(sound{event: ev, hook: true}) {
			return nil
		}
	}
	return nil
}
