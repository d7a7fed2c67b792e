package transcript

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The methods of a scanner that follow read one value. A value of another type,
// null among them, is zero: a change of format in one place must not hide the
// rest of the line.

func (s *scanner) text() string {
	if s.peek() != '"' {
		s.value()
		return ""
	}
	quoted := s.string()
	if s.broken {
		return ""
	}
	text, ok := unquote(quoted)
	s.broken = !ok
	return text
}

func (s *scanner) bool() bool { return string(s.value()) == "true" }

func (s *scanner) int() int64 {
	n, err := strconv.ParseInt(string(s.value()), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (s *scanner) float() float64 {
	f, err := strconv.ParseFloat(string(s.value()), 64)
	if err != nil {
		return 0
	}
	return f
}

// raw is any value, as it stands. It is a copy, because it outlives the line.
func (s *scanner) raw() json.RawMessage { return bytes.Clone(s.value()) }

// unquote returns what a JSON string says. As in encoding/json, each byte that
// is not part of valid UTF-8 and each half of a surrogate pair becomes U+FFFD.
// A turn's text is nearly all of what is decoded, so this is where its speed
// comes from.
func unquote(quoted []byte) (string, bool) {
	in := quoted[1 : len(quoted)-1]
	n := plain(in)
	if n == len(in) {
		return validUTF8(string(in)), true
	}
	out := make([]byte, 0, len(in)) // no escape is shorter than what it stands for
	for {
		out = append(out, in[:n]...)
		if in = in[n:]; len(in) == 0 {
			return validUTF8(string(out)), true
		}
		if in[0] != '\\' {
			return "", false
		}
		// There is a next byte: before the quote it would be escaped.
		if c := escapes[in[1]]; c != 0 {
			out, in = append(out, c), in[2:]
		} else {
			r, size := unescape(in)
			if size == 0 {
				return "", false
			}
			out, in = utf8.AppendRune(out, r), in[size:]
		}
		n = plain(in)
	}
}

// plain returns how much of in stands for itself.
func plain(in []byte) int {
	for i, c := range in {
		if c < ' ' || c == '\\' {
			return i
		}
	}
	return len(in)
}

func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

// escapes is what one character behind a backslash stands for.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape returns the character that the \uXXXX, or the two of them, at the
// beginning of in stand for, and how long they are: 0 where there is none.
func unescape(in []byte) (r rune, size int) {
	r, ok := hex4(in)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) {
		// A half without its other half stands for nothing.
		second, _ := hex4(in[6:])
		if pair := utf16.DecodeRune(r, second); pair != utf8.RuneError {
			return pair, 12
		}
		r = utf8.RuneError
	}
	return r, 6
}

// hex4 reads the \uXXXX that in begins with.
func hex4(in []byte) (rune, bool) {
	if len(in) < 6 || in[0] != '\\' || in[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(in[2:6]), 16, 16)
	return rune(n), err == nil
}
