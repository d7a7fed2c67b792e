package fakeagent

import (
	"fmt"
	"strings"
	"unicode"
)

// A screen is the content of the terminal. It is redrawn, in place, at each change.
type screen struct {
	banner []string
	log    []string // what was said, a paragraph each
	status string   // the line above the box while a turn runs
	footer string
	bottom bool // the box stands at the bottom, not below the text
	pieces bool // the box lacks its upper rule
}

// maxLog limits the paragraphs kept for drawing.
const maxLog = 200

func (s *screen) say(text string) {
	s.log = append(s.log, text)
	if len(s.log) > maxLog {
		s.log = s.log[len(s.log)-maxLog:]
	}
}

// frame returns the bytes that draw the screen: the dialog if there is one,
// else the input box with its line.
func (s *screen) frame(cols, rows int, l *line, d *dialog) string {
	rule := strings.Repeat("─", cols)
	var box []string
	curRow, curCol := 0, 0 // in the box
	if d != nil {
		box = append(box, rule)
		for _, r := range d.rows() {
			box = append(box, wrap(r, cols)...)
		}
	} else {
		glyph := "❯\u00a0"
		if l.bash {
			glyph = "!\u00a0"
		}
		text := wrap(visible(l), cols-2)
		before := wrap(visible(&line{text: l.text[:l.pos], pos: l.pos}), cols-2)
		curRow, curCol = len(before), 2+cells(before[len(before)-1])
		if limit := max(1, rows-6); len(text) > limit {
			curRow = max(1, curRow-(len(text)-limit))
			text = text[len(text)-limit:]
		}
		if s.pieces {
			box = append(box, "  "+s.footer)
		} else {
			box = append(box, rule)
		}
		for i, t := range text {
			if i == 0 {
				box = append(box, glyph+t)
			} else {
				box = append(box, "  "+t)
			}
		}
		box = append(box, rule, "  "+s.footer)
	}
	if s.status != "" {
		box = append([]string{s.status, ""}, box...)
		curRow += 2
	}
	if len(box) > rows {
		cut := len(box) - rows
		box, curRow = box[cut:], max(0, curRow-cut)
	}
	above := s.above(cols, rows-len(box))
	if s.bottom {
		above = append(above, make([]string, rows-len(box)-len(above))...)
	}
	all := append(above, box...)

	var b strings.Builder
	b.WriteString("\x1b[?2026h\x1b[?25l\x1b[H")
	for i, r := range all {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(clip(r, cols))
		b.WriteString("\x1b[K")
	}
	b.WriteString("\x1b[J")
	if d == nil {
		fmt.Fprintf(&b, "\x1b[%d;%dH\x1b[?25h", len(above)+curRow+1, min(cols, curCol+1))
	}
	b.WriteString("\x1b[?2026l")
	return b.String()
}

// above returns the last n rows of the banner and the log.
func (s *screen) above(cols, n int) []string {
	var rows []string
	for i := len(s.log) - 1; i >= 0 && len(rows) < n; i-- {
		// Only the end of a long text can be seen; wrapping all of a megabyte
		// at each key would be slow.
		t := s.log[i]
		if keep := 4 * cols * (n + 1); len(t) > keep {
			t = t[len(t)-keep:]
		}
		rows = append(append(wrap(t, cols), ""), rows...)
	}
	if len(rows) < n {
		rows = append(append(append([]string(nil), s.banner...), ""), rows...)
	}
	return rows[max(0, len(rows)-n):]
}

// visible returns the part of the line that can be on screen: the end of a long line.
func visible(l *line) string {
	const most = 16 << 10
	return string(l.text[max(0, len(l.text)-most):])
}

// wrap splits text into rows of at most cols cells, without control characters.
func wrap(text string, cols int) []string {
	cols = max(2, cols)
	var rows []string
	for p := range strings.SplitSeq(strings.ReplaceAll(text, "\t", "    "), "\n") {
		start, n := 0, 0
		p = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, p)
		for i, r := range p {
			w := cell(r)
			if n+w > cols {
				rows = append(rows, p[start:i])
				start, n = i, 0
			}
			n += w
		}
		rows = append(rows, p[start:])
	}
	return rows
}

// clip cuts a row that is wider than cols cells.
func clip(row string, cols int) string {
	n := 0
	for i, r := range row {
		if n += cell(r); n > cols {
			return row[:i]
		}
	}
	return row
}

func cells(s string) (n int) {
	for _, r := range s {
		n += cell(r)
	}
	return n
}

// cell returns a character's width. It knows the common wide ranges; a wrong width only
// makes a row crooked.
func cell(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60,
		r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}
