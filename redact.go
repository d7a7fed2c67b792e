package tuiturn

import (
	"regexp"
	"strings"
	"unicode"
)

const redacted = "[redacted]"

// gram is the length, in characters that count, from which a piece of a secret
// is taken for the secret. A screen wraps, indents and frames what it shows, so
// a secret may stand there in pieces.
const gram = 8

var tokenShape = regexp.MustCompile(`sk-[A-Za-z0-9_-]{8,}`)

// secretName is the name of an environment variable whose value is a secret.
var secretName = regexp.MustCompile(`(?i)(token|key|secret|passw|credential|auth)`)

// A redactor replaces secrets in what is shown to people.
type redactor struct {
	long  []string
	short []string // of fewer than gram characters
}

// newRedactor knows the secrets in use. Prompts are among them and may be long:
// all work on them is left to redact, which most turns do not need.
func newRedactor(secrets ...string) *redactor {
	r := &redactor{}
	for _, s := range secrets {
		switch n := countUpTo(s, gram); {
		case n == gram:
			r.long = append(r.long, s)
		case n > 2:
			r.short = append(r.short, strings.TrimSpace(s))
		}
	}
	return r
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

// redact replaces each run of characters that belongs to a secret, however it
// is wrapped.
func (r *redactor) redact(s string) string {
	for _, short := range r.short {
		s = strings.ReplaceAll(s, short, redacted)
	}
	s = tokenShape.ReplaceAllString(s, redacted)

	// Indexed is s, which is a screen, and not the secrets, which may be a
	// prompt of megabytes.
	runes := []rune(s)
	var at []int // where each character that counts stands in runes
	ends := make(map[window][]int)
	var w window
	for i, c := range runes {
		if !counts(c) {
			continue
		}
		w.push(c)
		if at = append(at, i); len(at) >= gram {
			ends[w] = append(ends[w], len(at))
		}
	}
	hide := make([]bool, len(runes))
	for _, secret := range r.long {
		var w window
		for _, c := range secret {
			if !counts(c) {
				continue
			}
			w.push(c)
			for _, end := range ends[w] {
				for _, i := range at[end-gram : end] {
					hide[i] = true
				}
			}
			delete(ends, w) // found once is found
		}
	}
	var b strings.Builder
	for i := 0; i < len(runes); i++ {
		if !hide[i] {
			b.WriteRune(runes[i])
			continue
		}
		b.WriteString(redacted)
		// To the end of the row or of the secret: the spaces between its words
		// go too.
		for end := i; end < len(runes) && runes[end] != '\n' && (hide[end] || unicode.IsSpace(runes[end])); end++ {
			if hide[end] {
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
