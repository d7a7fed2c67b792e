package transcript

import "slices"

// A heldLine waits for the line that it follows.
type heldLine struct {
	Event
	early bool // the line stands before the prompt in the file
}

// place takes a line if it is one of this turn's. It holds the line as long as it
// cannot know that.
func (t *Turn) place(ev Event) {
	if ours, seen := t.lines[ev.UUID]; seen {
		// The agent writes a resumed session again, with the same ids. Or the line
		// comes before the prompt, and then the line that it follows does so too.
		if !ours {
			t.before(ev.ParentUUID)
			t.settle()
		}
		return
	}
	ours, known := t.received, true // if the line names no other, the file's order counts
	if ev.ParentUUID != "" {
		ours, known = t.lines[ev.ParentUUID]
	}
	if !known {
		t.held = append(t.held, heldLine{ev, !t.received})
		return
	}
	t.take(ev, ours, false)
	t.settle()
}

// take takes a line whose place is known.
func (t *Turn) take(ev Event, ours, orphan bool) {
	t.mark(ev.UUID, ours)
	if ours && !t.ended() {
		t.apply(ev, orphan)
	}
}

func (t *Turn) mark(uuid string, ours bool) {
	if uuid == "" {
		return
	}
	if t.lines == nil {
		t.lines = make(map[string]bool)
	}
	t.lines[uuid] = ours
}

// before records that a line, and all lines that it follows, come before the prompt.
func (t *Turn) before(uuid string) {
	for uuid != "" {
		if _, known := t.lines[uuid]; known {
			return
		}
		t.mark(uuid, false)
		i := t.heldAt(uuid)
		if i < 0 {
			return
		}
		uuid = t.held[i].ParentUUID
	}
}

func (t *Turn) heldAt(uuid string) int {
	return slices.IndexFunc(t.held, func(h heldLine) bool { return h.UUID == uuid })
}

// settle takes the held lines that wait for a line that has come. Mostly there are
// none, and then settle copies nothing: the held lines can be many.
func (t *Turn) settle() {
	for slices.ContainsFunc(t.held, t.placed) {
		held := t.held
		t.held = nil
		for _, h := range held {
			_, seen := t.lines[h.UUID]
			ours, known := t.lines[h.ParentUUID]
			switch {
			case seen:
			case known:
				t.take(h.Event, ours, false)
			default:
				t.held = append(t.held, h)
			}
		}
	}
}

// placed reports whether a line need not be held any more.
func (t *Turn) placed(h heldLine) bool {
	_, seen := t.lines[h.UUID]
	_, known := t.lines[h.ParentUUID]
	return seen || known
}

// release takes the lines behind the prompt that have waited for too long. It takes
// them in the file's order, but no line before the line that it follows.
func (t *Turn) release() {
	for t.quiet >= orphanQuiet && t.missing() {
		i := slices.IndexFunc(t.held, func(h heldLine) bool {
			k := t.heldAt(h.ParentUUID)
			return !h.early && (k < 0 || t.held[k].early)
		})
		if i < 0 { // the lines follow each other in a circle
			i = slices.IndexFunc(t.held, func(h heldLine) bool { return !h.early })
		}
		h := t.held[i]
		t.held = slices.Delete(t.held, i, i+1)
		t.take(h.Event, true, true)
		t.settle()
	}
}

// missing reports whether a line behind the prompt follows a line that has not come.
func (t *Turn) missing() bool {
	return slices.ContainsFunc(t.held, func(h heldLine) bool { return !h.early })
}
