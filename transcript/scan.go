package transcript

import "bytes"

// A walk goes through the members of an object or the elements of an array. At
// each of them the scanner stands before the value. The caller reads the value, or
// next steps over it. So no byte is read twice, and a value that nobody wants costs
// only the search for its end.
type walk struct {
	s     *scanner
	key   []byte // of the current member, unquoted; nil for an element
	close byte   // the byte that ends the container; 0 behind the last value
	begun bool
	at    int // where the current value begins
}

// walk begins a walk through the object or array behind the scanner. Any other value
// has no members.
func (s *scanner) walk() walk {
	w := walk{s: s}
	switch {
	case s.accept('{'):
		w.close = '}'
	case s.accept('['):
		w.close = ']'
	default:
		s.value()
	}
	return w
}

// next goes to the next member or element. It returns false after the last one, and
// if the scanner is broken.
func (w *walk) next() bool {
	s := w.s
	if w.begun && s.i == w.at {
		s.value()
	}
	if s.broken || w.close == 0 {
		return false
	}
	if s.accept(w.close) {
		w.close = 0
		return false
	}
	if w.begun {
		s.expect(',')
	}
	w.begun = true
	if w.close == '}' {
		w.name()
	}
	s.space()
	w.at = s.i
	return !s.broken
}

// name reads a member's name and its colon.
func (w *walk) name() {
	quoted := w.s.string()
	w.s.expect(':')
	if w.s.broken {
		return
	}
	w.key = quoted[1 : len(quoted)-1]
	if bytes.IndexByte(w.key, '\\') >= 0 { // rare
		name, ok := unquote(quoted)
		w.key, w.s.broken = []byte(name), !ok
	}
}

// A scanner steps over JSON values. It checks only their quotes and brackets, and
// steps over strings with bytes.IndexByte. After the first byte that is not JSON the
// scanner is broken, and its results do not count.
type scanner struct {
	b      []byte
	i      int
	broken bool
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func trimRight(b []byte) []byte {
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func (s *scanner) space() {
	for s.i < len(s.b) && isSpace(s.b[s.i]) {
		s.i++
	}
}

// peek returns the next byte that is not space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.i++
	return true
}

func (s *scanner) expect(c byte) {
	if !s.accept(c) {
		s.broken = true
	}
}

// string returns the string at the scanner, with its quotes.
func (s *scanner) string() []byte {
	s.expect('"')
	if s.broken {
		return nil
	}
	start := s.i - 1
	end := stringEnd(s.b, s.i)
	if end < 0 {
		s.broken = true
		return nil
	}
	s.i = end
	return s.b[start:end]
}

// stringEnd returns the index behind a string. The string's first byte after its
// opening quote is at i. If the string does not end, stringEnd returns -1.
func stringEnd(b []byte, i int) int {
	for begin := i; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n + 1
		// The quote is escaped after an odd number of backslashes.
		slash := i - 1
		for slash > begin && b[slash-1] == '\\' {
			slash--
		}
		if (i-1-slash)%2 == 0 {
			return i
		}
	}
}

// value returns the value at the scanner.
func (s *scanner) value() []byte {
	s.space()
	b, i, depth := s.b, s.i, 0
	for i < len(b) {
		c := b[i]
		if depth == 0 && (c == ',' || c == '}' || c == ']') {
			// A number or a literal has ended.
			raw := trimRight(b[s.i:i])
			s.i, s.broken = i, s.broken || len(raw) == 0
			return raw
		}
		i++
		switch c {
		case '"':
			if i = stringEnd(b, i); i < 0 {
				s.broken = true
				return nil
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			continue
		}
		if depth == 0 {
			raw := b[s.i:i]
			s.i = i
			return raw
		}
	}
	if raw := trimRight(b[s.i:]); depth == 0 && len(raw) > 0 {
		s.i = len(b)
		return raw
	}
	s.broken = true
	return nil
}
