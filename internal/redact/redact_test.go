package redact

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/text"
)

func TestRedact(t *testing.T) {
	for name, c := range map[string]struct{ secret, screen, want string }{
		"nothing":               {"", "❯ hello", "❯ hello"},
		"whole":                 {"hunter2-hunter2", "a hunter2-hunter2 b", "a [redacted] b"},
		"twice":                 {"hunter2-hunter2", "hunter2-hunter2\nhunter2-hunter2", "[redacted]\n[redacted]"},
		"wrapped":               {"hunter2-hunter2", "a hunter2-\n  hunter2 b", "a [redacted]\n  [redacted] b"},
		"framed":                {"hunter2-hunter2", "│ hunter2-  │\n│ hunter2   │", "│ [redacted]  │\n│ [redacted]   │"},
		"one to a row":          {"hunter2!", "h\nu\nn\nt\ne\nr\n2\n!", strings.TrimSpace(strings.Repeat("[redacted]\n", 8))},
		"words":                 {"tell no one", "he said: tell  no one", "he said: [redacted]"},
		"a part":                {"abcdefghijklmnop", "…efghijkl", "…[redacted]"},
		"too short a part":      {"abcdefghijklmnop", "abcdefg", "abcdefg"},
		"quoted":                {"user\nhunter2\nnow", "▎ user\n▎ hunter2\n> now", "▎ [redacted]\n▎ [redacted]\n> [redacted]"},
		"only signs":            {"!!@@##$$%%", "a !!@@##$$%% b", "a [redacted] b"},
		"short":                 {"pin", "the pin.", "the [redacted]."},
		"short, in a word":      {"pin", "pinned", "[redacted]ned"},
		"short, wrapped":        {"pin 12", "│ pi  │\n│ n 12│", "│ [redacted]  │\n│ [redacted]│"},
		"short, apart":          {"pin", "p in", "p in"},
		"two characters":        {"hi", "❯ hi, this", "❯ [redacted], this"},
		"one character":         {"a", "a banana", "a banana"},
		"composed by the agent": {"le caf\u0065\u0301 ferme\u0301", "❯ le caf\u00e9 ferm\u00e9 │ ok", "❯ le [redacted] │ ok"},
		"composed Hangul":       {"\u1112\u1161\u11ab\u1100\u1173\u11af", "❯ \ud55c\uae00 x", "❯ [redacted] x"},
		"an unknown key":        {"", "key sk-ant-api03-xyzXYZ_0123.", "key [redacted]."},
		"with invisible":        {"hun\u200bter2-hun\x1bter2", "hunter2-hunter2", "[redacted]"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(New(c.secret).Redact(c.screen), c.want)
		})
	}
}

func TestScreenTail(t *testing.T) {
	is := is.New(t)
	r := New("hunter2-hunter2")
	is.Equal(r.Tail(""), "")
	is.Equal(r.Tail("\n\na  \n\n  b\n\n"), "a\n  b")
	// A secret that the cut goes through is Mask before.
	is.Equal(r.Tail("hunter2-\nhunter2"+strings.Repeat("\nx", 19)), "[redacted]"+strings.Repeat("\nx", 19))
}

// BenchmarkRedact: a prompt of a megabyte is a secret too.
func BenchmarkRedact(b *testing.B) {
	r := New(strings.Repeat("All work and no play. ", 1<<20/22))
	screen := strings.Repeat(strings.Repeat("no play. ", 13)+"\n", 40)
	b.ReportAllocs()
	for b.Loop() {
		r.Redact(screen)
	}
}

// However a screen wraps, indents and frames a secret of Gram characters or
// more, what is shown has no Gram of it.
func FuzzRedact(f *testing.F) {
	f.Add("hunter2-hunter2", "before ", " after", uint8(7), uint8(2), false)
	f.Add("sk-ant-oat01-AbCdEfGhIjKlMnOpQr", "", "", uint8(1), uint8(0), true)
	f.Add("tell no one\n\tabout this 👩‍👩‍👧", "❯ ", "\n────", uint8(3), uint8(40), true)
	f.Fuzz(func(t *testing.T, secret, before, after string, width, indent uint8, frame bool) {
		secret, before, after = strings.ToValidUTF8(secret, ""), strings.ToValidUTF8(before, ""), strings.ToValidUTF8(after, "")
		if countUpTo(secret, Gram) < Gram {
			return
		}
		var screen strings.Builder
		screen.WriteString(before)
		for i, c := range []rune(secret) {
			if i > 0 && i%(int(width)+1) == 0 {
				edge := ""
				if frame {
					edge = "│"
				}
				screen.WriteString(edge + "\n" + edge + strings.Repeat(" ", int(indent)))
			}
			screen.WriteRune(c)
		}
		screen.WriteString(after)
		shown := New(secret).Redact(screen.String())

		// Without the marks of what was taken out, of which each ends a run.
		for piece := range strings.SplitSeq(shown, Mask) {
			if n := longest(secret, piece); n >= Gram {
				t.Errorf("secret %q, screen %q: %d characters of it are in %q", secret, screen.String(), n, shown)
			}
		}
	})
}

// longest is how many characters that count s and t have in common in a row, up
// to Gram.
func longest(s, t string) int {
	known := make(map[string]bool)
	a := counting(s)
	for i := 0; i+Gram <= len(a); i++ {
		known[string(a[i:i+Gram])] = true
	}
	b := counting(t)
	for i := 0; i+Gram <= len(b); i++ {
		if known[string(b[i:i+Gram])] {
			return Gram
		}
	}
	return 0
}

func counting(s string) (out []rune) {
	for _, c := range s {
		if text.IsContent(c) {
			out = append(out, c)
		}
	}
	return out
}
