// Package text compares texts that an agent has drawn, recorded or composed anew.
package text

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Same tells whether two texts differ only in white space, in characters that
// cannot be seen, and in how characters are composed.
func Same(a, b string) bool {
	x, y := Visible(a), Visible(b)
	return slices.Equal(x, y) || slices.ContainsFunc(x, Composes) && slices.Equal(composed(x), composed(y))
}

// composing are characters besides marks that normalisation (NFC) may replace:
// Indic letters with a dot, Hangul jamo, Greek with accents, units and brackets
// that other characters stand for, presentation forms.
var composing = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x0340, 0x0387, 1}, {0x0900, 0x0fff, 1}, {0x1100, 0x11ff, 1}, {0x1e00, 0x1fff, 1}, {0x2000, 0x2001, 1},
		{0x2126, 0x212b, 1}, {0x2329, 0x232a, 1}, {0x2adc, 0x2adc, 1}, {0xf900, 0xfb4f, 1},
	},
	R32: []unicode.Range32{{0x1d15e, 0x1d1c0, 1}, {0x2f800, 0x2fa1d, 1}},
}

func Composes(c rune) bool { return unicode.In(c, unicode.M, composing) }

// composed is what of s is the same in every normalisation form: the ASCII
// characters without a mark on them, but for the three that other characters
// turn into.
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

// Visible is s without white space and without what cannot be seen.
func Visible(s string) []rune {
	var out []rune
	for _, c := range s {
		if IsVisible(c) {
			out = append(out, c)
		}
	}
	return out
}

// IsVisible takes characters that this Go does not know for visible: they may be
// newer than its tables.
func IsVisible(c rune) bool {
	return !unicode.IsSpace(c) && !unicode.In(c, unicode.Cc, unicode.Cf,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// IsContent tells whether a character is part of a text as opposed to the white
// space and the lines that a screen draws around it.
func IsContent(c rune) bool { return IsVisible(c) && (c < '\u2500' || c > '\u257f') }

// Squeeze takes out what a screen puts into a text to draw it, and white space.
func Squeeze(text string) string {
	return strings.Map(func(c rune) rune {
		if IsContent(c) {
			return c
		}
		return -1
	}, text)
}

// Normalize ends lines with a newline alone and shows other control characters
// as the pictures that Unicode has for them, ESC as "␛". Agents remove or obey
// them, each version differently; U+FFFD stands for those without a picture.
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
