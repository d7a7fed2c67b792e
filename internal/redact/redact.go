// Package redact takes secrets out of what is shown to people.
package redact

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tuiturn/tuiturn/internal/text"
)

// Mask takes the place of a secret.
const Mask = "[redacted]"

// Gram is the length, in characters that count, from which a piece of a secret
// is taken for the secret. A screen wraps, indents and frames what it shows, so
// a secret may stand there in pieces.
const Gram = 8

var tokenShape = regexp.MustCompile(`sk-[A-Za-z0-9_-]{8,}`)

// A Redactor replaces secrets by "[redacted]". It is safe for concurrent use.
type Redactor struct {
	long  []string
	short []shortSecret

	// composes: an agent may show a secret in composed characters (Unicode NFC:
	// 2.1.104, 2.1.158), in which it is not found.
	composes bool
}

// A shortSecret has fewer than Gram characters that count, so all of them must
// be there: in a row, with blanks where the secret has some, or with the end of
// a row anywhere.
type shortSecret struct {
	chars []rune
	blank []bool // is there one before each
}

// New knows the secrets in use. Prompts are among them and may be long:
// all work on them is left to Redact, which most turns do not need. A single
// character is no secret.
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

// A window is Gram characters in a row.
type window [Gram]rune

func (w *window) push(c rune) {
	copy(w[:], w[1:])
	w[Gram-1] = c
}

// A sighting is a text in which secrets are looked for.
type sighting struct {
	text []rune
	at   []int  // where each character that counts stands in text
	hide []bool // which are to be hidden
}

// Redact replaces each run of characters that belongs to a secret, however it
// is wrapped. A secret that is shown in another encoding (base64, escaped) is not
// found.
func (r *Redactor) Redact(s string) string {
	s = tokenShape.ReplaceAllString(s, Mask)
	v := sighting{text: []rune(s)}
	v.hide = make([]bool, len(v.text))
	// Once more for secrets in rows that a screen puts a sign in front of.
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

// find lists the characters that count.
func (v *sighting) find(counts func(rune) bool) {
	v.at = v.at[:0]
	for i, c := range v.text {
		if counts(c) {
			v.at = append(v.at, i)
		}
	}
}

// hideLong hides every piece of Gram characters that count or more. Indexed is
// the text, which is a screen, and not the secrets, which may be a prompt of
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
			delete(ends, w) // found once is found
		}
	}
}

// hideShort hides a secret where all of it stands. One of two characters is
// only a secret as a word of its own.
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

// begins tells whether s stands at the i-th character that counts.
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

// hideComposed hides each word with a letter that may be composed. Whether it
// is a secret's can't be told without the tables of Unicode's normalisation.
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

// String is the text without what is hidden.
func (v *sighting) String() string {
	var b strings.Builder
	for i := 0; i < len(v.text); i++ {
		if !v.hide[i] {
			b.WriteRune(v.text[i])
			continue
		}
		b.WriteString(Mask)
		// To the end of the row or of the secret: the spaces between its words
		// go too.
		for end := i; end < len(v.text) && v.text[end] != '\n' && (v.hide[end] || unicode.IsSpace(v.text[end])); end++ {
			if v.hide[end] {
				i = end
			}
		}
	}
	return b.String()
}

func (r *Redactor) RedactAll(texts []string) []string {
	var out []string
	for _, s := range texts {
		out = append(out, r.Redact(s))
	}
	return out
}

// Tail is the end of a screen, fit for an error.
func (r *Redactor) Tail(screen string) string {
	var rows []string
	for row := range strings.Lines(r.Redact(screen)) {
		if row = strings.TrimRight(row, " \n"); row != "" {
			rows = append(rows, row)
		}
	}
	return strings.Join(rows[max(0, len(rows)-20):], "\n")
}
