package tuiturn

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Errors of a prompt that no agent is started for.
var (
	ErrEmptyPrompt   = errors.New("the prompt is empty")
	ErrInvalidPrompt = errors.New("the prompt cannot be typed")
)

// checkPrompt refuses what no agent could be given.
func checkPrompt(prompt string) error {
	switch {
	case !utf8.ValidString(prompt):
		return fmt.Errorf("%w: it is not UTF-8: convert it first", ErrInvalidPrompt)
	case strings.Contains(prompt, "\x00"):
		return fmt.Errorf("%w: it holds a NUL byte: remove it", ErrInvalidPrompt)
	case strings.Contains(prompt, "\x1b[201~"), strings.Contains(prompt, "\u009b201~"):
		return fmt.Errorf("%w: it holds the end-of-paste sequence ESC [ 201 ~: remove it", ErrInvalidPrompt)
	case len(visible(prompt)) == 0:
		return fmt.Errorf("%w: there is nothing in it that can be seen", ErrEmptyPrompt)
	}
	return nil
}

// isPrompt tells whether text, which the transcript has as the session's first
// prompt, is the one that was put in. White space and characters that cannot be
// seen do not count, nor does how characters are composed: 2.1.330 takes the
// invisible out of all that is typed, 2.1.104 and 2.1.158 compose. Nor do
// backslashes: 2.1.330 puts one into the tag that it marks a paste with.
//
// Around what was pasted 2.1.330 puts tags. A command is not compared: the
// transcript has it in the agent's own form.
func (t *turn) isPrompt(text string) bool {
	if t.isCommand() {
		return true
	}
	if t.pasted {
		// A key that was read as text must not pass for part of the paste.
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && !unicode.IsSpace(c) }) {
			return false
		}
		if m := pasteTags.FindStringSubmatch(text); m != nil {
			text = m[1]
		}
	}
	unescape := strings.NewReplacer(`\`, "")
	sent, got := visible(unescape.Replace(t.prompt)), visible(unescape.Replace(text))
	return slices.Equal(sent, got) || slices.ContainsFunc(sent, composes) && slices.Equal(composed(sent), composed(got))
}

// isCommand tells whether the agent may take the prompt for a command of its own.
func (t *turn) isCommand() bool {
	return t.req.AllowCommands && strings.HasPrefix(strings.TrimSpace(t.prompt), "/")
}

// pasteTags is how 2.1.330 gives what was pasted to the model.
var pasteTags = regexp.MustCompile(`(?s)^\s*<pasted_content id="[^"]*">(.*)</pasted_content[^>]*>\s*$`)

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

func composes(c rune) bool { return unicode.In(c, unicode.M, composing) }

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

// visible is s without white space and without what cannot be seen.
func visible(s string) []rune {
	var out []rune
	for _, c := range s {
		if isVisible(c) {
			out = append(out, c)
		}
	}
	return out
}

// isVisible takes characters that this Go does not know for visible: they may be
// newer than its tables.
func isVisible(c rune) bool {
	return !unicode.IsSpace(c) && !unicode.In(c, unicode.Cc, unicode.Cf,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
