package fakeagent

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

var lineTests = []struct {
	name, in string
	want     string // the line's value
	bash     bool
	last     action
}{
	{name: "typing", in: "abc", want: "abc"},
	{name: "enter submits", in: "abc\r", want: "abc", last: actSubmit},
	{name: "a trailing backslash continues", in: "a\\\rb", want: "a\nb"},
	{name: "meta enter is a newline", in: "a\x1b\rb", want: "a\nb"},
	{name: "C-u clears up to the cursor", in: "abc\x1b[D\x15", want: "c"},
	{name: "editing in the middle", in: "ac\x1b[Db\x01x\x05y\x7f", want: "xabc"},
	{name: "backspace at the start", in: "\x7fa\x1b[D\x7f", want: "a"},
	{name: "pasted tabs become spaces", in: "\x1b[200~a\tb\x1b[201~", want: "a    b"},
	{name: "pasted returns become newlines", in: "\x1b[200~a\rb\r\nc\x1b[201~", want: "a\nb\nc"},
	{name: "a paste does not submit", in: "\x1b[200~a\r\x1b[201~", want: "a\n"},
	{name: "control bytes leave a paste", in: "\x1b[200~x\x1b[31my\x07z\x01w\x1b[201~", want: "xyzw"},
	{name: "a typed ! is a shell command", in: "!ls", want: "ls", bash: true},
	{name: "a pasted ! is a shell command", in: "\x1b[200~!ls\x1b[201~", want: "ls", bash: true},
	{name: "a long pasted ! is a shell command", in: "\x1b[200~!1\n2\n3\n4\x1b[201~", want: "1\n2\n3\n4", bash: true},
	{name: "a ! after a space is text", in: " !ls", want: " !ls"},
	{name: "backspace leaves the shell", in: "!\x7fa", want: "a"},
	{name: "a typed ? asks for help", in: "?", want: "", last: actHelp},
	{name: "a pasted ? is text", in: "\x1b[200~?\x1b[201~", want: "?"},
	{name: "C-d leaves an empty line only", in: "a\x04", want: "a"},
	{name: "C-d on an empty line", in: "\x04", want: "", last: actEOF},
	{name: "C-c", in: "a\x03", want: "a", last: actInterrupt},
	{name: "enter takes a suggested file first", in: "see @fi\r", want: "see @fi "},
	{name: "and submits then", in: "see @fi\r\r", want: "see @fi ", last: actSubmit},
	{name: "no suggestion after a space", in: "see @fi \r", want: "see @fi ", last: actSubmit},
	{name: "C-g", in: "a\x07", want: "a", last: actEditor},
}

func TestLine(t *testing.T) {
	for _, tt := range lineTests {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			var p keyParser
			var l line
			var last action
			for _, k := range p.feed([]byte(tt.in)) {
				last = l.press(k)
			}
			is.Equal(l.value(), tt.want)
			is.Equal(l.bash, tt.bash)
			is.Equal(last, tt.last)
		})
	}
}

func TestLongPasteStandsBehindAPlaceholder(t *testing.T) {
	is := is.New(t)
	var l line
	long := strings.Repeat("x", 801)
	lines := "1\n2\n3\n4 [Pasted text #1]"
	l.press(key{"Text", "a"})
	l.press(key{"Paste", long})
	l.press(key{"Paste", lines})
	l.press(key{"Text", "b"})
	is.Equal(string(l.text), "a[Pasted text #1][Pasted text #2 +3 lines]b")
	is.Equal(l.value(), "a"+long+lines+"b") // a quoted placeholder stays as it is
}

func TestEditorTextIsNeverACommand(t *testing.T) {
	is := is.New(t)
	l := line{bash: true}
	l.set("!touch x\n\n")
	is.Equal(l.value(), "!touch x\n") // one newline is the editor's
	is.True(!l.bash)
}

func TestModernLine(t *testing.T) {
	is := is.New(t)
	l := line{modern: true}
	l.press(key{"Paste", "\u200b/help\u2060 👩\u200d🚀"})
	is.Equal(l.value(), "/help 👩\u200d🚀") // only the joiner stays
	l.clear()
	l.press(key{"Text", "a"})
	l.press(key{"Paste", "1\n2\n3\n4"})
	l.press(key{"Text", "b"})
	is.Equal(l.value(), "a\n\n<pasted_content id=\"fa4e\">\n1\n2\n3\n4\n</pasted_content id=\"fa4e\">\n\nb")
}

func TestLongTextIsFolded(t *testing.T) {
	is := is.New(t)
	text := "[Image #1] [Image #2] " + strings.Repeat("a line\n", 2000) + "end"
	middle := text[500 : len(text)-500]
	var old line
	old.set(text)
	is.Equal(len(old.text), 1000+len("[...Truncated text #1 +1857 lines...]"))
	is.Equal(old.value(), strings.Replace(text, "[Image #1]", middle, 1)) // 2.1.104, 2.1.158
	modern := line{modern: true}
	modern.set(text)
	is.Equal(modern.value(), text) // its number is 3
	// Emptied, the line still knows what it had put aside.
	for _, l := range []*line{&old, &modern} {
		l.set("")
		l.set("[...Truncated text #3 +0 lines...][Image #1]")
		is.Equal(len(l.value()) > 5000, true)
		l.clear()
		l.set("[...Truncated text #3 +0 lines...][Image #1]")
		is.Equal(l.value(), "[...Truncated text #3 +0 lines...][Image #1]")
	}
	modern.set(text)
	modern.set(text)
	is.True(strings.Contains(modern.value(), "</pasted_content")) // 2.1.330, 2.1.332
}
