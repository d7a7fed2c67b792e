package fakeagent

import (
	"bytes"
	"unicode/utf8"
)

// A key is one thing the user did: a named key, a printable character or a
// whole bracketed paste.
type key struct {
	name string // "Enter", "C-c", …; "Text" and "Paste" carry text
	text string
}

var (
	pasteStart = []byte("\x1b[200~")
	pasteEnd   = []byte("\x1b[201~")
)

// A keyParser turns the terminal's bytes into keys. Bytes may arrive in any
// pieces.
type keyParser struct {
	buf     []byte
	pasting bool
	scanned int // bytes of a paste that cannot hold the start of its end mark
}

// feed takes bytes and returns the keys that are complete.
func (p *keyParser) feed(b []byte) []key {
	p.buf = append(p.buf, b...)
	var keys []key
	for len(p.buf) > 0 {
		k, n := p.next()
		if n == 0 {
			break
		}
		p.buf = p.buf[n:]
		if k.name != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

// pending reports whether an escape byte waits for what may follow it.
func (p *keyParser) pending() bool { return !p.pasting && len(p.buf) > 0 && p.buf[0] == 0x1b }

// flush decides that nothing follows: a lone escape byte is the Escape key,
// an unfinished sequence is dropped.
func (p *keyParser) flush() []key {
	if !p.pending() {
		return nil
	}
	lone := len(p.buf) == 1
	p.buf = nil
	if lone {
		return []key{{name: "Escape"}}
	}
	return nil
}

// next returns the key at the start of buf and its length in bytes, zero if it
// is not complete. A key without a name is to be ignored.
func (p *keyParser) next() (key, int) {
	b := p.buf
	if p.pasting {
		i := bytes.Index(b[p.scanned:], pasteEnd)
		if i < 0 {
			p.scanned = max(0, len(b)-len(pasteEnd)+1)
			return key{}, 0
		}
		i += p.scanned
		p.pasting, p.scanned = false, 0
		return key{"Paste", string(b[:i])}, i + len(pasteEnd)
	}
	switch c := b[0]; {
	case c == 0x1b:
		return p.escape()
	case c == '\r':
		return key{name: "Enter"}, 1
	case c == '\t':
		return key{name: "Tab"}, 1
	case c == 0x7f || c == 0x08:
		return key{name: "BSpace"}, 1
	case c >= 1 && c <= 26:
		return key{name: "C-" + string(rune('a'+c-1))}, 1
	case c < 0x20:
		return key{}, 1
	}
	if !utf8.FullRune(b) {
		return key{}, 0
	}
	_, n := utf8.DecodeRune(b)
	return key{"Text", string(b[:n])}, n
}

// escape reads a sequence that starts with the escape byte.
func (p *keyParser) escape() (key, int) {
	b := p.buf
	if len(b) == 1 {
		return key{}, 0
	}
	if b[1] != '[' && b[1] != 'O' {
		if b[1] == '\r' {
			return key{name: "M-Enter"}, 2
		}
		return key{name: "Escape"}, 1
	}
	if b[1] == '[' && bytes.HasPrefix(b, pasteStart) {
		p.pasting, p.scanned = true, 0
		return key{}, len(pasteStart)
	}
	for i := 2; i < len(b); i++ {
		if b[i] < 0x40 || b[i] > 0x7e {
			continue // a parameter
		}
		return key{name: cursorKeys[string(b[2:i+1])]}, i + 1
	}
	return key{}, 0
}

// cursorKeys names the sequences after ESC [ and ESC O that mean something
// here. The others (focus, mouse, answers to queries) are ignored.
var cursorKeys = map[string]string{
	"A": "Up", "B": "Down", "C": "Right", "D": "Left", "H": "Home", "F": "End",
}
