package transcript

import "slices"

// A heldLine waits for the line that it follows.
type heldLine struct {
	Event
	early bool // it stands before the prompt in the file
}

// place takes a line if it is one of this turn's, and keeps it back as long as that
// cannot be known.
func (t *Turn) place(ev Event) {
	if ours, seen := t.lines[ev.UUID]; seen {
		// A resumed session is written again with the same ids. Or the line was
		// known to come before the prompt, and then so is the one before it.
		if !ours {
			t.before(ev.ParentUUID)
			t.settle()
		}
		return
	}
	ours, known := t.received, true // where nothing is named, the file's order
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

// before notes that a line, and what it follows, came before the prompt.
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

// settle takes the lines that have been kept back for one that has come. It mostly
// finds none, and then copies none: there can be many.
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

// placed tells whether a line need not be kept back any more.
func (t *Turn) placed(h heldLine) bool {
	_, seen := t.lines[h.UUID]
	_, known := t.lines[h.ParentUUID]
	return seen || known
}

// release takes lines behind the prompt that have waited in vain, in the file's
// order, but none before the line that it follows.
func (t *Turn) release() {
	for t.quiet >= orphanQuiet && t.missing() {
		i := slices.IndexFunc(t.held, func(h heldLine) bool {
			k := t.heldAt(h.ParentUUID)
			return !h.early && (k < 0 || t.held[k].early)
		})
		if i < 0 { // they follow each other in a circle
			i = slices.IndexFunc(t.held, func(h heldLine) bool { return !h.early })
		}
		h := t.held[i]
		t.held = slices.Delete(t.held, i, i+1)
		t.take(h.Event, true, true)
		t.settle()
	}
}

// missing reports whether a line behind the prompt follows one that has not come.
func (t *Turn) missing() bool {
	return slices.ContainsFunc(t.held, func(h heldLine) bool { return !h.early })
}
