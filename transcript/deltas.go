package transcript

import (
	"fmt"
	"slices"
	"strings"
)

// A Delta is a piece of what the agent says in a turn.
type Delta struct {
	// Message is the number of the text in the turn, from 0. It grows when the
	// agent has completed a text and begins another.
	Message int

	// Text is the next piece of the text.
	Text string

	// Aside says that the text with that number was not the answer. It was
	// narration before a tool use, or the agent went on after it, as it does when
	// a Stop hook objects. A Delta with Aside has no Text. If the agent reports
	// what it shows, a report of the answer can overtake the reports of an aside.
	// Then there are no Deltas of that aside.
	Aside bool
}

// Deltas gives the text of a turn in pieces, as early as possible. It takes complete
// messages from the transcript and, if there are any, pieces from reports ([Shown]).
//
// Join the Text of all Deltas with the last Message number that is not an aside. The
// result is a prefix of [Outcome].Text, and all of it if End returns no error. End
// returns a [DivergenceError] if the agent recorded another text than it had shown.
// That happens when a connection breaks in the middle of an answer and the agent
// asks again. It also happens when two parts of a cut answer come within some 10 ms,
// and the report of the second part comes first.
//
// Deltas does no I/O and has no clock. It is not safe for concurrent use.
type Deltas struct {
	turn *Turn
	err  error

	number   int    // of the current text
	said     string // what has been said of the current text
	complete bool   // said is a complete answer

	// The current API message: what has been said of it, and whether all of that
	// is only shown, not yet recorded.
	now  string
	live bool

	at        *message          // the recorded message that is being said, or was said last
	behind    map[*message]bool // the recorded messages that are done
	unmatched []*message        // the messages behind that were never seen shown
	shown     []*shownMessage   // the shown messages that are not done, in the order of their beginnings
	past      map[string]bool   // the ids of the shown messages that are done
}

// NewDeltas returns the deltas of a turn. The caller adds the events to the turn.
func NewDeltas(t *Turn) *Deltas {
	return &Deltas{turn: t, behind: make(map[*message]bool), past: make(map[string]bool)}
}

// shownMessage is a message as the agent showed it. Its pieces may come in any order,
// because each report comes from a process of its own.
type shownMessage struct {
	id     string
	text   string // the pieces before the first missing piece
	next   int    // the index of the first missing piece
	pieces map[int]string
}

// Show takes a piece of a message. The pieces may come in any order.
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

// Next returns the pieces that are new since the last call. Call it after each event
// that you add to the turn, and after each Show.
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
			return d.showing(out) // the message has more blocks
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

// End is Next for a turn that has ended. Its error is nil or a *DivergenceError.
func (d *Deltas) End() ([]Delta, error) {
	out := d.Next()
	text := d.turn.Outcome().Text
	if d.err == nil && !strings.HasPrefix(text, d.said) && (d.complete || d.live && d.showsLater(text)) {
		out = d.aside(out) // the agent went on after that text
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

// showsLater reports whether the agent has shown the beginning of text after the
// current message. The current message then was an aside or broke off, though the
// agent did not record it, or not yet: 2.1.158 can write the end of a turn before the
// turn's first message.
func (d *Deltas) showsLater(text string) bool {
	return slices.ContainsFunc(d.shown[min(1, len(d.shown)):], func(m *shownMessage) bool {
		return m.text != "" && strings.HasPrefix(text, m.text)
	})
}

// Err returns the *DivergenceError that has ended the deltas, or nil.
func (d *Deltas) Err() error { return d.err }

// recorded returns the next message of the transcript that is not done, or nil.
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

// showed reports whether a recorded message can be the one that is being shown. The
// agent may record another message first, or the report may have overtaken an earlier
// one. Whether the agent records the shown message at all is known at the end.
func (d *Deltas) showed(m *message) bool {
	text := m.text()
	return text != "" && (strings.HasPrefix(text, d.now) || strings.HasPrefix(d.now, text) && !d.turn.over(m))
}

// pass records that a message is done.
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

// showing says what the agent has shown and not yet recorded.
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

// settle drops messages whose reports come after the transcript had them.
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

// drop removes the first shown message.
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

// aside ends a text that was not the answer.
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

// over reports whether no further line of a message can come. A stop reason does not
// tell that, because each line of a message has one.
func (t *Turn) over(m *message) bool {
	return m != t.lastMessage() || m.last < t.resumed || t.ended()
}

// A DivergenceError says that the agent recorded another text than it had shown. The
// streamed text is wrong from Offset on.
type DivergenceError struct {
	Message int // as in Delta
	Offset  int // of the first wrong byte in the text with that number
}

func (e *DivergenceError) Error() string {
	return fmt.Sprintf("the agent recorded another text than it had shown: the streamed text of message %d is wrong from byte %d on; use the text of the result instead", e.Message, e.Offset)
}
