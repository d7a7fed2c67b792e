package ptyterm

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

var namedKeys = map[string]string{
	"Enter":  "\r",
	"Escape": "\x1b",
	"Tab":    "\t",
	"BSpace": "\x7f",
}

var cursorKeys = map[string]byte{"Up": 'A', "Down": 'B', "Right": 'C', "Left": 'D'}

// keyBytes returns the bytes that a terminal sends for the keys, which have tmux's
// names. Cursor keys depend on whether the program has requested application cursor
// keys.
func keyBytes(appCursor bool, keys []string) ([]byte, error) {
	var out []byte
	for _, key := range keys {
		if seq, ok := namedKeys[key]; ok {
			out = append(out, seq...)
			continue
		}
		if final, ok := cursorKeys[key]; ok {
			middle := byte('[')
			if appCursor {
				middle = 'O'
			}
			out = append(out, 0x1b, middle, final)
			continue
		}
		if len(key) == 3 && key[:2] == "C-" && 'a' <= key[2] && key[2] <= 'z' {
			out = append(out, key[2]-'a'+1)
			continue
		}
		r, n := utf8.DecodeRuneInString(key)
		if n == 0 || n != len(key) || r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			return nil, fmt.Errorf(`unknown key %q: use Enter, Escape, Tab, Up, Down, Left, Right, BSpace, C-a to C-z, or one printable character`, key)
		}
		out = append(out, key...)
	}
	return out, nil
}
