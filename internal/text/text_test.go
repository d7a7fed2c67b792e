package text

import (
	"testing"

	"github.com/matryer/is"
)

func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"hello ", "hello", true},
		{"a\tb\n\nc ", "a b c", true},
		{"a\u200bb", "ab", true},
		{"cafe\u0301", "caf\u00e9", true},
		{"\u0958", "\u0915\u093c", true},
		{"\u212a", "K", true},
		{"\u65e5\u672c", "\u5225\u7269", false},
		{"caf\u00e9 a", "cafe\u0301 b", false},
		{"hello", "hello there", false},
		{"hello", "", false},
	} {
		if got := Same(c.a, c.b); got != c.want {
			t.Errorf("Same(%q, %q) = %v", c.a, c.b, got)
		}
	}
}

func TestNormalize(t *testing.T) {
	is := is.New(t)
	is.Equal(Normalize("a\r\nb\rc\td"), "a\nb\nc\td")
	is.Equal(Normalize("\x1b\x7f\u0085\x01"), "\u241b\u2421\ufffd\u2401")
}

func TestSqueeze(t *testing.T) {
	is := is.New(t)
	is.Equal(Squeeze("│ a\u200b b │\n╰──╯\u257fc\u2580"), "abc\u2580")
	is.Equal(string(Visible(" a\u00a0b\ufe0f\U000e0041")), "ab")
}
