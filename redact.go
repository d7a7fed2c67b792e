package tuiturn

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const redacted = "[redacted]"

// gram is the length, in characters that count, from which a piece of a secret
// is taken for the secret. A screen wraps, indents and frames what it shows, so
// a secret may stand there in pieces.
const gram = 8

var tokenShape = regexp.MustCompile(`sk-[A-Za-z0-9_-]{8,}`)

// A redactor replaces secrets in what is shown to people.
type redactor struct {
	long  []string
	short []shortSecret

	// composes: an agent may show a secret in composed characters (Unicode NFC:
	// 2.1.104, 2.1.158), in which it is not found.
	composes bool
}

// A shortSecret has fewer than gram characters that count, so all of them must
// be there: in a row, with blanks where the secret has some, or with the end of
// a row anywhere.
type shortSecret struct {
	chars []rune
	blank []bool // is there one before each
}

// newRedactor knows the secrets in use. Prompts are among them and may be long:
// all work on them is left to redact, which most turns do not need. A single
// character is no secret.
func newRedactor(secrets ...string) *redactor {
	r := &redactor{}
	for _, s := range secrets {
		switch n := countUpTo(s, gram); {
		case n == gram:
			r.long = append(r.long, s)
		case n > 1:
			r.short = append(r.short, newShortSecret(s))
		}
		r.composes = r.composes || strings.ContainsFunc(s, composes)
	}
	return r
}

func newShortSecret(s string) (short shortSecret) {
	blank := false
	for _, c := range s {
		if !counts(c) {
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
		if counts(c) {
			if n++; n == limit {
				break
			}
		}
	}
	return n
}

// counts tells whether a character is part of a text as opposed to the white
// space and the lines that a screen draws around it.
func counts(c rune) bool { return isVisible(c) && (c < '\u2500' || c > '\u257f') }

// A window is gram characters in a row.
type window [gram]rune

func (w *window) push(c rune) {
	copy(w[:], w[1:])
	w[gram-1] = c
}

// A sighting is a text in which secrets are looked for.
type sighting struct {
	text []rune
	at   []int  // where each character that counts stands in text
	hide []bool // which are to be hidden
}

// redact replaces each run of characters that belongs to a secret, however it
// is wrapped. A secret that is shown in another encoding (base64, escaped) is not
// found.
func (r *redactor) redact(s string) string {
	s = tokenShape.ReplaceAllString(s, redacted)
	v := sighting{text: []rune(s)}
	v.hide = make([]bool, len(v.text))
	// Once more for secrets in rows that a screen puts a sign in front of.
	v.find(isAlnum)
	v.hideLong(r.long, isAlnum)
	v.find(counts)
	v.hideLong(r.long, counts)
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

// hideLong hides every piece of gram characters that count or more. Indexed is
// the text, which is a screen, and not the secrets, which may be a prompt of
// megabytes.
func (v *sighting) hideLong(secrets []string, counts func(rune) bool) {
	ends := make(map[window][]int)
	var w window
	for i, at := range v.at {
		if w.push(v.text[at]); i+1 >= gram {
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
				for _, at := range v.at[end-gram : end] {
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
		for ; end < len(v.text) && counts(v.text[end]); end++ {
			c := v.text[end]
			odd = odd || composes(c) || c >= utf8.RuneSelf && unicode.IsLetter(c)
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
		b.WriteString(redacted)
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

func (r *redactor) redactAll(texts []string) []string {
	var out []string
	for _, s := range texts {
		out = append(out, r.redact(s))
	}
	return out
}

// screenTail is the end of a screen, fit for an error.
func (r *redactor) screenTail(screen string) string {
	var rows []string
	for row := range strings.Lines(r.redact(screen)) {
		if row = strings.TrimRight(row, " \n"); row != "" {
			rows = append(rows, row)
		}
	}
	return strings.Join(rows[max(0, len(rows)-20):], "\n")
}
