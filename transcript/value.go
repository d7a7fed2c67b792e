package transcript

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The following methods of a scanner read one value. A value of another type, such
// as null, is zero: a change of the format in one place must not hide the rest of
// the line.

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

// raw returns any value as it stands. It copies the value, which outlives the line.
func (s *scanner) raw() json.RawMessage { return bytes.Clone(s.value()) }

// unquote decodes a JSON string. As in encoding/json, each byte that is not part of
// valid UTF-8 and each half of a surrogate pair becomes U+FFFD. Nearly all that is
// decoded is a turn's text, so the speed of unquote is the decoder's.
func unquote(quoted []byte) (string, bool) {
	in := quoted[1 : len(quoted)-1]
	n := plain(in)
	if n == len(in) {
		return validUTF8(string(in)), true
	}
	out := make([]byte, 0, len(in)) // no escape is shorter than its character
	for {
		out = append(out, in[:n]...)
		if in = in[n:]; len(in) == 0 {
			return validUTF8(string(out)), true
		}
		if in[0] != '\\' {
			return "", false
		}
		// There is a next byte. A backslash before the closing quote would escape
		// the quote.
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

// plain returns how many bytes at the beginning of in need no decoding.
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

// escapes maps the character behind a backslash to the character that both mean.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape decodes the \uXXXX at the beginning of in, or a surrogate pair of them. It
// returns the character and the escape's length, which is 0 if there is no escape.
func unescape(in []byte) (r rune, size int) {
	r, ok := hex4(in)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) {
		// One half of a pair has no meaning.
		second, _ := hex4(in[6:])
		if pair := utf16.DecodeRune(r, second); pair != utf8.RuneError {
			return pair, 12
		}
		r = utf8.RuneError
	}
	return r, 6
}

// hex4 reads the \uXXXX at the beginning of in.
func hex4(in []byte) (rune, bool) {
	if len(in) < 6 || in[0] != '\\' || in[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(in[2:6]), 16, 16)
	return rune(n), err == nil
}
