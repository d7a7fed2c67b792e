// Package redact removes secrets from texts that people see.
package redact

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tuiturn/tuiturn/internal/text"
)

// Mask replaces a secret.
const Mask = "[redacted]"

// Gram is the length from which a piece of a secret counts as the secret. It counts
// content characters only: see text.IsContent. A screen wraps, indents and frames text,
// so a secret may appear in pieces.
const Gram = 8

var tokenShape = regexp.MustCompile(`sk-[A-Za-z0-9_-]{8,}`)

// A Redactor replaces secrets by "[redacted]". It is safe for concurrent use.
type Redactor struct {
	long  []string
	short []shortSecret

	// composes says that a secret holds characters that an agent may compose (Unicode
	// NFC: 2.1.104, 2.1.158). Such a secret cannot be found by its characters.
	composes bool
}

// A shortSecret has fewer than Gram content characters. It is found if all of them
// appear in a row, with blanks where the secret has blanks, and row ends anywhere.
type shortSecret struct {
	chars []rune
	blank []bool // whether a blank stands before each character
}

// New returns a Redactor for the secrets. Prompts are among the secrets and may be
// long. So New does little, and Redact, which most turns do not need, does the work. A
// single character is no secret.
func New(secrets ...string) *Redactor {
	r := &Redactor{}
	for _, s := range secrets {
		switch n := countUpTo(s, Gram); {
		case n == Gram:
			r.long = append(r.long, s)
		case n > 1:
			r.short = append(r.short, newShortSecret(s))
		}
		r.composes = r.composes || strings.ContainsFunc(s, text.Composes)
	}
	return r
}

func newShortSecret(s string) (short shortSecret) {
	blank := false
	for _, c := range s {
		if !text.IsContent(c) {
			blank = true
			continue
		}
		short.chars = append(short.chars, c)
		short.blank = append(short.blank, blank)
		blank = false
	}
	return short
}

func countUpTo(s string, limit int) (n int) {
	for _, c := range s {
		if text.IsContent(c) {
			if n++; n == limit {
				break
			}
		}
	}
	return n
}

// A window holds Gram characters in a row.
type window [Gram]rune

func (w *window) push(c rune) {
	copy(w[:], w[1:])
	w[Gram-1] = c
}

// A sighting is a text that is searched for secrets.
type sighting struct {
	text []rune
	at   []int  // the index in text of each counted character
	hide []bool // whether to hide each character of text
}

// Redact replaces each run of characters that belongs to a secret, however the text is
// wrapped. It does not find a secret in another encoding (base64, escaped).
func (r *Redactor) Redact(s string) string {
	s = tokenShape.ReplaceAllString(s, Mask)
	v := sighting{text: []rune(s)}
	v.hide = make([]bool, len(v.text))
	// Search twice: the first search ignores signs, which a screen may put in front of
	// rows.
	v.find(isAlnum)
	v.hideLong(r.long, isAlnum)
	v.find(text.IsContent)
	v.hideLong(r.long, text.IsContent)
	for _, short := range r.short {
		v.hideShort(short)
	}
	if r.composes {
		v.hideComposed()
	}
	return v.String()
}

// find lists the counted characters.
func (v *sighting) find(counts func(rune) bool) {
	v.at = v.at[:0]
	for i, c := range v.text {
		if counts(c) {
			v.at = append(v.at, i)
		}
	}
}

// hideLong hides every piece of a secret with at least Gram counted characters. It
// indexes the text, which is a screen, and not the secrets: one may be a prompt of
// megabytes.
func (v *sighting) hideLong(secrets []string, counts func(rune) bool) {
	ends := make(map[window][]int)
	var w window
	for i, at := range v.at {
		if w.push(v.text[at]); i+1 >= Gram {
			ends[w] = append(ends[w], i+1)
		}
	}
	for _, secret := range secrets {
		var w window
		for _, c := range secret {
			if !counts(c) {
				continue
			}
			w.push(c)
			for _, end := range ends[w] {
				for _, at := range v.at[end-Gram : end] {
					v.hide[at] = true
				}
			}
			delete(ends, w) // all places of this piece are hidden now
		}
	}
}

// hideShort hides a secret where all of it appears. A secret of two characters is
// hidden only where it is a word of its own.
func (v *sighting) hideShort(s shortSecret) {
	n := len(s.chars)
	for i := 0; i+n <= len(v.at); i++ {
		if !v.begins(s, i) {
			continue
		}
		first, last := v.at[i], v.at[i+n-1]
		if n == 2 && (v.inWord(first-1) || v.inWord(last+1)) {
			continue
		}
		for _, at := range v.at[i : i+n] {
			v.hide[at] = true
		}
	}
}

// begins tells whether s begins at the i-th counted character.
func (v *sighting) begins(s shortSecret, i int) bool {
	for j, c := range s.chars {
		if v.text[v.at[i+j]] != c {
			return false
		}
		if j == 0 {
			continue
		}
		between := v.text[v.at[i+j-1]+1 : v.at[i+j]]
		if len(between) > 0 && !s.blank[j] && !slices.Contains(between, '\n') {
			return false
		}
	}
	return true
}

func (v *sighting) inWord(i int) bool {
	return i >= 0 && i < len(v.text) && isAlnum(v.text[i])
}

func isAlnum(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }

// hideComposed hides each word with a letter that may be composed. Only the tables of
// Unicode's normalization could tell whether the word belongs to a secret.
func (v *sighting) hideComposed() {
	for i := 0; i < len(v.text); {
		end, odd := i, false
		for ; end < len(v.text) && text.IsContent(v.text[end]); end++ {
			c := v.text[end]
			odd = odd || text.Composes(c) || c >= utf8.RuneSelf && unicode.IsLetter(c)
		}
		for ; i < end; i++ {
			v.hide[i] = v.hide[i] || odd
		}
		i++
	}
}

// String returns the text with Mask in place of the hidden characters.
func (v *sighting) String() string {
	var b strings.Builder
	for i := 0; i < len(v.text); i++ {
		if !v.hide[i] {
			b.WriteRune(v.text[i])
			continue
		}
		b.WriteString(Mask)
		// Up to the end of the row or of the secret. The spaces between the secret's
		// words are hidden too.
		for end := i; end < len(v.text) && v.text[end] != '\n' && (v.hide[end] || unicode.IsSpace(v.text[end])); end++ {
			if v.hide[end] {
				i = end
			}
		}
	}
	return b.String()
}

// RedactAll redacts each of the texts.
func (r *Redactor) RedactAll(texts []string) []string {
	var out []string
	for _, s := range texts {
		out = append(out, r.Redact(s))
	}
	return out
}

// Tail returns the last 20 rows of a screen, redacted, for an error.
func (r *Redactor) Tail(screen string) string {
	var rows []string
	for row := range strings.Lines(r.Redact(screen)) {
		if row = strings.TrimRight(row, " \n"); row != "" {
			rows = append(rows, row)
		}
	}
	return strings.Join(rows[max(0, len(rows)-20):], "\n")
}
