package fakeagent

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func names(keys []key) string {
	var s []string
	for _, k := range keys {
		if k.text != "" {
			s = append(s, k.name+"("+k.text+")")
		} else {
			s = append(s, k.name)
		}
	}
	return strings.Join(s, " ")
}

var keyTests = []struct{ name, in, want string }{
	{"letters", "hé", "Text(h) Text(é)"},
	{"enter and newline", "\r\n", "Enter C-j"},
	{"control keys", "\x03\x15\x07\x04\x7f\t", "C-c C-u C-g C-d BSpace Tab"},
	{"cursor keys of both modes", "\x1b[A\x1b[B\x1bOC\x1bOD", "Up Down Right Left"},
	{"focus, mouse and answers are ignored", "\x1b[I\x1b[<0;1;1M\x1b[?62ca", "Text(a)"},
	{"a paste is one key", "\x1b[200~a\tb\r\x03\x1b[201~\r", "Paste(a\tb\r\x03) Enter"},
	{"what follows the end mark is keys", "\x1b[200~a\x1b[201~!x", "Paste(a) Text(!) Text(x)"},
	{"an empty paste", "\x1b[200~\x1b[201~", "Paste"},
	{"an end mark in sight", "\x1b[200~\x1b[201\x1b[20\x1b[201~z", "Paste(\x1b[201\x1b[20) Text(z)"},
	{"meta enter", "\x1b\r", "M-Enter"},
	{"escape before a letter", "\x1bx", "Escape Text(x)"},
	{"an emoji", "🙂", "Text(🙂)"},
}

func TestKeysDoNotDependOnHowBytesArrive(t *testing.T) {
	for _, tt := range keyTests {
		t.Run(tt.name, func(t *testing.T) {
			for size := 1; size <= len(tt.in); size++ {
				is := is.New(t)
				var p keyParser
				var got []key
				for i := 0; i < len(tt.in); i += size {
					got = append(got, p.feed([]byte(tt.in[i:min(len(tt.in), i+size)]))...)
				}
				is.Equal(names(got), tt.want) // for every size of the pieces
				is.Equal(len(p.flush()), 0)   // nothing is left over
			}
		})
	}
}

func TestLoneEscapeIsAKeyOnceNothingFollows(t *testing.T) {
	is := is.New(t)
	var p keyParser
	is.Equal(len(p.feed([]byte("\x1b"))), 0)
	is.True(p.pending())
	is.Equal(names(p.flush()), "Escape")
	is.True(!p.pending())
	is.Equal(names(p.feed([]byte("a"))), "Text(a)")
}

func TestUnfinishedSequenceIsDropped(t *testing.T) {
	is := is.New(t)
	var p keyParser
	is.Equal(len(p.feed([]byte("\x1b[1;"))), 0)
	is.Equal(len(p.flush()), 0)
	is.Equal(names(p.feed([]byte("b"))), "Text(b)")
}
