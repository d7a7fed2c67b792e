package tuiauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrMalformed is wrapped by errors about a configuration file that the agent would
// not have written. For claude such a file is not one JSON object with unique keys,
// or a known key has another type than the agent writes.
var ErrMalformed = errors.New("malformed configuration")

// An edit sets one member of nested objects.
type edit struct {
	path  []string
	value string // JSON
	keep  bool   // leave a value that is there already
}

// String returns the path as people write it: a.b["c d"].
func (e edit) String() string {
	var b strings.Builder
	for i, key := range e.path {
		switch {
		case strings.ContainsAny(key, `/\".[] `):
			b.WriteString("[" + strconv.Quote(key) + "]")
		case i > 0:
			b.WriteString("." + key)
		default:
			b.WriteString(key)
		}
	}
	return b.String()
}

// applyEdits returns doc with the edits applied, and the names of the edits that
// changed doc. It splices text. To decode and encode doc would rewrite numbers (1e3,
// 12345678901234567890), escapes and the order of keys that are not ours.
func applyEdits(doc []byte, edits []edit) (out []byte, changed []string, err error) {
	if err := checkDoc(doc); err != nil {
		return nil, nil, err
	}
	for _, e := range edits {
		next, err := apply(doc, e)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %v", ErrMalformed, err)
		}
		if next != nil {
			doc = next
			changed = append(changed, e.String())
		}
	}
	return doc, changed, nil
}

// checkDoc fails unless doc is one JSON value. Package encoding/json checks the
// syntax and the depth (at most 10,000) before it decodes anything. The functions
// below, which walk the text, rely on that check.
func checkDoc(doc []byte) error {
	if bytes.HasPrefix(doc, []byte("\xef\xbb\xbf")) {
		return fmt.Errorf("%w: it begins with a byte order mark", ErrMalformed)
	}
	var raw json.RawMessage
	err := json.Unmarshal(doc, &raw)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("%w: %v at byte %d", ErrMalformed, syntax, syntax.Offset)
	}
	if err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	return nil
}

// apply applies one edit. Nil means that doc needs no change.
func apply(doc []byte, e edit) ([]byte, error) {
	pos := skipSpace(doc, 0)
	if doc[pos] != '{' {
		return nil, errors.New("it is not an object")
	}
	for i, key := range e.path {
		ms, err := members(doc, pos)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(ms, func(m member) bool { return m.name == key })
		if at < 0 {
			return insert(doc, pos, ms, key, nest(e.path[i+1:], e.value)), nil
		}
		m := ms[at]
		value := string(doc[m.value:m.end])
		switch {
		case i == len(e.path)-1:
			if e.keep || value == e.value {
				return nil, nil
			}
			return slices.Concat(doc[:m.value], []byte(e.value), doc[m.end:]), nil
		case value == "null":
			// The agent reads null as absent.
			return slices.Concat(doc[:m.value], []byte(nest(e.path[i+1:], e.value)), doc[m.end:]), nil
		case doc[m.value] != '{':
			return nil, fmt.Errorf("%q is not an object", key)
		}
		pos = m.value
	}
	return nil, nil
}

// nest returns value inside an object for each key of path.
func nest(path []string, value string) string {
	for _, key := range slices.Backward(path) {
		value = "{" + quote(key) + ": " + value + "}"
	}
	return value
}

// insert adds a member at the end of the object at pos, spaced like the last member.
func insert(doc []byte, pos int, ms []member, key, value string) []byte {
	if len(ms) == 0 {
		return slices.Concat(doc[:pos+1], []byte(quote(key)+": "+value), doc[pos+1:])
	}
	last := ms[len(ms)-1]
	space := last.key
	for isSpace(doc[space-1]) {
		space--
	}
	return slices.Concat(doc[:last.end],
		[]byte(","), doc[space:last.key], []byte(quote(key)), doc[last.keyEnd:last.value], []byte(value),
		doc[last.end:])
}

func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

// A member is the position of one member of an object in the text.
type member struct {
	name        string
	key, keyEnd int
	value, end  int
}

// members lists the members of the object at pos in valid JSON. A duplicate key is
// an error: readers differ in which one they use.
func members(doc []byte, pos int) ([]member, error) {
	var ms []member
	seen := make(map[string]bool)
	i := skipSpace(doc, pos+1)
	for doc[i] != '}' {
		if doc[i] == ',' {
			i = skipSpace(doc, i+1)
		}
		m := member{key: i, keyEnd: skipString(doc, i)}
		raw := doc[m.key:m.keyEnd]
		if err := json.Unmarshal(raw, &m.name); err != nil {
			return nil, err
		}
		if strings.ContainsRune(m.name, utf8.RuneError) {
			// Different halves of surrogate pairs decode to the same text.
			m.name = string(raw)
		}
		if seen[m.name] {
			return nil, fmt.Errorf("the key %q is duplicate", m.name)
		}
		seen[m.name] = true
		i = skipSpace(doc, m.keyEnd)
		m.value = skipSpace(doc, i+1) // after the colon
		m.end = skipValue(doc, m.value)
		ms = append(ms, m)
		i = skipSpace(doc, m.end)
	}
	return ms, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func skipSpace(doc []byte, i int) int {
	for i < len(doc) && isSpace(doc[i]) {
		i++
	}
	return i
}

// skipString returns the index after the string at i.
func skipString(doc []byte, i int) int {
	for i++; doc[i] != '"'; i++ {
		if doc[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue returns the index after the value at i. It does not recurse, so a deep
// value needs no stack.
func skipValue(doc []byte, i int) int {
	depth := 0
	for i < len(doc) {
		switch doc[i] {
		case '"':
			i = skipString(doc, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
		default: // a number, true, false or null
			for i < len(doc) && !isSpace(doc[i]) && !bytes.ContainsRune([]byte(",]}"), rune(doc[i])) {
				i++
			}
		}
		if depth == 0 {
			break
		}
	}
	return i
}
