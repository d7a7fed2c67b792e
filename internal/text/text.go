// Package text compares texts that an agent has drawn, recorded or composed
// differently.
package text

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Same tells whether two texts differ only in white space, in invisible characters, and
// in how characters are composed.
func Same(a, b string) bool {
	x, y := Visible(a), Visible(b)
	return slices.Equal(x, y) || slices.ContainsFunc(x, Composes) && slices.Equal(composed(x), composed(y))
}

// composing holds characters besides marks that normalization (NFC) may replace: Indic
// letters with a dot, Hangul jamo, Greek with accents, units and brackets that other
// characters become, presentation forms.
var composing = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x0340, 0x0387, 1}, {0x0900, 0x0fff, 1}, {0x1100, 0x11ff, 1}, {0x1e00, 0x1fff, 1}, {0x2000, 0x2001, 1},
		{0x2126, 0x212b, 1}, {0x2329, 0x232a, 1}, {0x2adc, 0x2adc, 1}, {0xf900, 0xfb4f, 1},
	},
	R32: []unicode.Range32{{0x1d15e, 0x1d1c0, 1}, {0x2f800, 0x2fa1d, 1}},
}

// Composes tells whether normalization (NFC) may change or combine a character.
func Composes(c rune) bool { return unicode.In(c, unicode.M, composing) }

// composed returns the characters of s that are the same in every normalization form:
// the ASCII characters that no mark follows, without the three that other characters
// become.
func composed(s []rune) []rune {
	var out []rune
	for i, c := range s {
		marked := i+1 < len(s) && unicode.Is(unicode.M, s[i+1])
		if c < utf8.RuneSelf && !marked && c != ';' && c != '`' && c != 'K' {
			out = append(out, c)
		}
	}
	return out
}

// Visible returns the characters of s that are neither white space nor invisible.
func Visible(s string) []rune {
	var out []rune
	for _, c := range s {
		if IsVisible(c) {
			out = append(out, c)
		}
	}
	return out
}

// IsVisible tells whether a character is neither white space nor invisible. Characters
// that this Go does not know count as visible: they may be newer than its tables.
func IsVisible(c rune) bool {
	return !unicode.IsSpace(c) && !unicode.In(c, unicode.Cc, unicode.Cf,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// IsContent tells whether a character belongs to a text, and not to the white space and
// the lines that a screen draws around the text.
func IsContent(c rune) bool { return IsVisible(c) && (c < '\u2500' || c > '\u257f') }

// Squeeze removes white space and the lines that a screen draws around a text.
func Squeeze(text string) string {
	return strings.Map(func(c rune) rune {
		if IsContent(c) {
			return c
		}
		return -1
	}, text)
}

// Normalize ends lines with a newline, and replaces other control characters by their
// Unicode pictures, ESC by "␛". Characters without a picture become U+FFFD. Agents
// remove or obey control characters, each version differently.
func Normalize(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\t' || c == '\n' || !unicode.IsControl(c):
			return c
		case c < ' ':
			return '\u2400' + c
		case c == 0x7f:
			return '\u2421'
		}
		return unicode.ReplacementChar
	}, s)
}
