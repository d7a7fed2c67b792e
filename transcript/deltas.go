package transcript

import (
	"fmt"
	"slices"
	"strings"
)

// A Delta is a piece of what the agent says in a turn.
type Delta struct {
	// Message numbers what the agent says, from 0. The number grows when the
	// agent has said something to its end and then begins anew.
	Message int

	// Text is the next piece of it.
	Text string

	// Aside, which comes without text, says that Message was not the answer:
	// narration before a tool use, or something that the agent went on from, as
	// it does when a Stop hook objects. Where the agent reports what it shows,
	// reports of the answer can overtake those of what led to it, which is then
	// not told.
	Aside bool
}

// Deltas gives the text of a turn in pieces, as early as they are known: from
// the transcript, which has whole messages, and where there are any from pieces
// that the agent has shown.
//
// What it gives holds: the texts of the last message that is not an aside,
// joined, are a prefix of [Outcome].Text, and all of it when End returns no
// error. A message that is not recorded the way it was shown is a
// [DivergenceError]; that happens when a connection breaks in mid-answer and
// the agent asks again, or when two parts of an answer that was cut come within
// some 10 ms, so that the second is reported as shown before the first.
//
// It does no I/O and has no clock. It is not safe for concurrent use.
type Deltas struct {
	turn *Turn
	err  error

	number   int    // of the message
	said     string // of it
	complete bool   // said is a whole answer

	// The API message that is being said: what is said of it, and whether
	// that is only shown so far.
	now  string
	live bool

	at        *message          // of the transcript's, the one that is being said, or was last
	behind    map[*message]bool // those that are not to be said any more
	unmatched []*message        // of them, those never seen shown
	shown     []*shownMessage   // in the order in which they began, without those behind us
	past      map[string]bool   // their ids
}

// NewDeltas returns the deltas of a turn, which the caller goes on feeding.
func NewDeltas(t *Turn) *Deltas {
	return &Deltas{turn: t, behind: make(map[*message]bool), past: make(map[string]bool)}
}

// shownMessage is a message as it was shown. Pieces may come in any order: each
// is reported by a process of its own.
type shownMessage struct {
	id     string
	text   string // the pieces before the first that is missing
	next   int    // that one's index
	pieces map[int]string
}

// Show takes a piece of a message, in any order.
func (d *Deltas) Show(p Shown) {
	if d.past[p.MessageID] {
		return
	}
	i := slices.IndexFunc(d.shown, func(m *shownMessage) bool { return m.id == p.MessageID })
	if i < 0 {
		i = len(d.shown)
		d.shown = append(d.shown, &shownMessage{id: p.MessageID, pieces: make(map[int]string)})
	}
	m := d.shown[i]
	m.pieces[p.Index] = p.Text
	for text, ok := m.pieces[m.next]; ok; text, ok = m.pieces[m.next] {
		m.text += text
		delete(m.pieces, m.next)
		m.next++
	}
}

// Next returns what there is to say since the last call. It is to be called
// after each event that the turn was given, and each Show.
func (d *Deltas) Next() (out []Delta) {
	d.settle()
	for d.err == nil {
		m := d.recorded()
		if m == nil {
			break
		}
		text, over := m.text(), d.turn.over(m)
		switch {
		case strings.HasPrefix(text, d.now):
			out = d.say(out, text[len(d.now):])
			if d.now, d.live = text, false; text != "" {
				d.at = m
			}
		case strings.HasPrefix(d.now, text) && !over:
			return d.showing(out) // it has more blocks
		default:
			d.diverge(text)
			return out
		}
		if m.narrates() {
			out = d.aside(out)
		}
		if !over {
			return out
		}
		d.pass(m)
	}
	if d.err == nil {
		out = d.showing(out)
	}
	return out
}

// End is Next for a turn that has ended. Its error, if any, is a
// *DivergenceError.
func (d *Deltas) End() ([]Delta, error) {
	out := d.Next()
	text := d.turn.Outcome().Text
	if d.err == nil && !strings.HasPrefix(text, d.said) && (d.complete || d.live && d.showsLater(text)) {
		out = d.aside(out) // the agent went on from it
	}
	if d.err == nil && !strings.HasPrefix(text, d.said) {
		d.now = d.said
		d.diverge(text)
	}
	if d.err == nil && text != d.said {
		out = append(out, Delta{Message: d.number, Text: text[len(d.said):]})
		d.said = text
	}
	return out, d.err
}

// showsLater reports whether the beginning of text has been shown behind the
// message that is being said. That one was on the way to it, or was broken off,
// though it is not recorded, or not yet: 2.1.158 can write the end of a turn before
// its first message.
func (d *Deltas) showsLater(text string) bool {
	return slices.ContainsFunc(d.shown[min(1, len(d.shown)):], func(m *shownMessage) bool {
		return m.text != "" && strings.HasPrefix(text, m.text)
	})
}

// Err is the *DivergenceError with which the deltas have ended, or nil.
func (d *Deltas) Err() error { return d.err }

// recorded is the transcript's next message that is not behind us, nil if there is
// none.
func (d *Deltas) recorded() *message {
	i := slices.Index(d.turn.messages, d.at)
	for _, m := range d.turn.messages[:max(i, 0)] {
		if !d.behind[m] {
			d.behind[m] = true
			d.unmatched = append(d.unmatched, m)
		}
	}
	if d.at == nil || d.behind[d.at] {
		i++
	}
	for _, m := range d.turn.messages[max(i, 0):] {
		if !d.live || d.showed(m) {
			return m
		}
	}
	return nil
}

// showed reports whether a message can be the one that is being shown. Another
// may be recorded before it, or its report may have overtaken the one ahead of
// it; whether it is ever recorded is known at the end.
func (d *Deltas) showed(m *message) bool {
	text := m.text()
	return text != "" && (strings.HasPrefix(text, d.now) || strings.HasPrefix(d.now, text) && !d.turn.over(m))
}

// pass puts a message behind us.
func (d *Deltas) pass(m *message) {
	switch {
	case d.now == "":
	case len(d.shown) > 0 && d.shown[0].text != "" && strings.HasPrefix(d.now, d.shown[0].text):
		d.drop()
	default:
		d.unmatched = append(d.unmatched, m)
	}
	if m.end != EndCut && d.said != "" {
		d.complete = true
	}
	d.at, d.now = m, ""
	d.behind[m] = true
}

// showing says what is shown and not yet recorded.
func (d *Deltas) showing(out []Delta) []Delta {
	d.settle()
	if len(d.shown) == 0 {
		return out
	}
	m := d.shown[0]
	text := m.text[len(d.now):]
	d.now, d.live = m.text, m.text != ""
	return d.say(out, text)
}

// settle forgets messages that are reported as shown after the transcript had
// them.
func (d *Deltas) settle() {
	for len(d.shown) > 0 && !d.live {
		m := d.shown[0]
		i := slices.IndexFunc(d.unmatched, func(u *message) bool { return m.text != "" && strings.HasPrefix(u.text(), m.text) })
		if i < 0 {
			return
		}
		d.unmatched = slices.Delete(d.unmatched, i, i+1)
		d.drop()
	}
}

// drop forgets the first shown message.
func (d *Deltas) drop() {
	d.past[d.shown[0].id] = true
	d.shown = d.shown[1:]
}

func (d *Deltas) say(out []Delta, text string) []Delta {
	if text == "" {
		return out
	}
	if d.complete {
		out = d.aside(out)
	}
	d.said += text
	return append(out, Delta{Message: d.number, Text: text})
}

// aside ends a message that was not the answer.
func (d *Deltas) aside(out []Delta) []Delta {
	if d.said == "" {
		return out
	}
	out = append(out, Delta{Message: d.number, Aside: true})
	d.number++
	d.said, d.complete = "", false
	return out
}

func (d *Deltas) diverge(text string) {
	n := 0
	for n < len(text) && n < len(d.now) && text[n] == d.now[n] {
		n++
	}
	d.err = &DivergenceError{Message: d.number, Offset: len(d.said) - len(d.now) + n}
}

// over reports whether no further line of a message is to be expected. That it
// has a stop reason does not tell: each of its lines has.
func (t *Turn) over(m *message) bool {
	return m != t.lastMessage() || m.last < t.resumed || t.ended()
}

// A DivergenceError says that a message was not recorded the way it was shown,
// so that what was streamed of it is wrong.
type DivergenceError struct {
	Message int // the Delta's
	Offset  int // where it went wrong, in bytes of the message's text
}

func (e *DivergenceError) Error() string {
	return fmt.Sprintf("the agent recorded another text than it had shown, from byte %d of message %d on: what was streamed is not the answer; take the result's text", e.Offset, e.Message)
}
