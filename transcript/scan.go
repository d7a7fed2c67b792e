package transcript

import (
	"bytes"
	"encoding/json"
)

// lineType returns the value of the top-level "type" key of the JSON object in
// line without decoding the rest. Nested objects and strings that hold the
// same words do not count, and the key may stand anywhere. It stops at the key,
// so that a record which begins with its type costs nothing whatever its
// length, and it steps over strings with bytes.IndexByte.
//
// ok is false when line is not an object as far as it was read. An object
// without a "type", or whose "type" is not a string, has type "".
func lineType(line []byte) (typ string, ok bool) {
	raw, ok := member(line, "type")
	if !ok || len(raw) == 0 || raw[0] != '"' {
		return "", ok
	}
	return unquote(raw)
}

// member returns the raw value of the object's member called key, nil if the
// object has none.
func member(object []byte, key string) (raw []byte, ok bool) {
	s := scanner{object, 0}
	if !s.accept('{') {
		return nil, false
	}
	if s.accept('}') {
		return nil, s.atEnd()
	}
	for {
		name, ok := s.string()
		if !ok || !s.accept(':') {
			return nil, false
		}
		value, ok := s.value()
		if !ok {
			return nil, false
		}
		if isKey(name, key) {
			return value, true
		}
		if s.accept('}') {
			return nil, s.atEnd()
		}
		if !s.accept(',') {
			return nil, false
		}
	}
}

// isKey compares a quoted name with key. A name with an escape in it is rare
// enough to be decoded.
func isKey(quoted []byte, key string) bool {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1:len(quoted)-1]) == key
	}
	name, ok := unquote(quoted)
	return ok && name == key
}

func unquote(quoted []byte) (string, bool) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1]), true
	}
	var s string
	err := json.Unmarshal(quoted, &s)
	return s, err == nil
}

// A scanner steps over JSON values without checking what is inside them: what
// matters is decoded, and so checked, later.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) atEnd() bool {
	s.space()
	return s.i == len(s.b)
}

func (s *scanner) accept(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// string returns the string at the scanner, quotes included.
func (s *scanner) string() ([]byte, bool) {
	if !s.accept('"') {
		return nil, false
	}
	start := s.i - 1
	for {
		n := bytes.IndexByte(s.b[s.i:], '"')
		if n < 0 {
			return nil, false
		}
		quote := s.i + n
		// The quote is escaped after an odd number of backslashes.
		slash := quote
		for slash > s.i && s.b[slash-1] == '\\' {
			slash--
		}
		s.i = quote + 1
		if (quote-slash)%2 == 0 {
			return s.b[start:s.i], true
		}
	}
}

// value returns the value at the scanner.
func (s *scanner) value() ([]byte, bool) {
	s.space()
	start, depth := s.i, 0
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			if _, ok := s.string(); !ok {
				return nil, false
			}
			if depth == 0 {
				return s.b[start:s.i], true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return s.b[start:s.i], s.i > start
			}
			depth--
			if depth == 0 {
				s.i++
				return s.b[start:s.i], true
			}
		case ',':
			if depth == 0 {
				return s.b[start:s.i], s.i > start
			}
		}
		s.i++
	}
	return nil, false
}
