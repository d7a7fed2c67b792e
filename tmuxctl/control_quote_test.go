package tmuxctl

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestControlLine(t *testing.T) {
	words := func(s string) []string { return strings.Split(s, " ") }
	for name, c := range map[string]struct {
		args       []string
		want       string // empty: refused
		repeatable bool
	}{
		"one":                    {words("list-sessions"), "list-sessions\n", true},
		"two":                    {words("list-sessions ; kill-session -t $3"), "list-sessions ; kill-session -t '$3'\n", false},
		"two to read":            {words("list-sessions ; list-panes -a ;"), "list-sessions ; list-panes -a\n", true},
		"quotes and a newline":   {[]string{"list-sessions", "-F", "it's\n"}, `list-sessions -F 'it'"'"'s'"\n"''` + "\n", true},
		"nothing between quotes": {[]string{"list-sessions", "-F", ""}, "list-sessions -F ''\n", true},

		"nothing":                  {args: nil},
		"nothing to separate":      {args: words(";")},
		"nothing in between":       {args: words("list-sessions ; ; list-sessions")},
		"nothing in front":         {args: words("; list-sessions")},
		"an unknown command":       {args: words("if-shell -F 1 kill-server")},
		"one after a known":        {args: words("list-sessions ; kill-server")},
		"an abbreviation":          {args: words("list-s")},
		"a session to attach to":   {args: words("new-session -s x")},
		"no target":                {args: words("send-keys Enter")},
		"no target in the second":  {args: words("send-keys -t %1 Enter ; send-keys Enter")},
		"a separator in a word":    {args: words("send-keys -t %1 a; send-keys -t %1 b")},
		"an escaped one":           {args: words(`send-keys -t %1 -l -- \;`)},
		"NUL":                      {args: words("send-keys -t %1 \x00")},
		"what is not UTF-8":        {args: words("send-keys -t %1 \xff")},
		"a newline as the command": {args: words("\n")},
		"a long word":              {args: []string{"has-session", "-t", strings.Repeat("x", maxLine)}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			line, ok := newControlLine(c.args)
			is.Equal(ok, c.want != "")
			if ok {
				is.Equal(line, controlLine{c.want, c.repeatable})
			}
		})
	}
}

// parseQuoted is what every tmux makes of one word that controlQuote wrote, and
// fails for what they do not agree on.
func parseQuoted(word string) (string, error) {
	if plainWord.MatchString(word) {
		return word, nil
	}
	var b strings.Builder
	for word != "" {
		quote := word[0]
		end := strings.IndexByte(word[1:], quote) + 1
		if quote != '\'' && quote != '"' || end == 0 {
			return "", fmt.Errorf("not quoted: %q", word)
		}
		text := word[1:end]
		word = word[end+1:]
		switch {
		case quote == '"' && text == `\n`:
			text = "\n"
		case quote == '"' && text != "'", strings.ContainsAny(text, "\n\x00"):
			return "", fmt.Errorf("in %c: %q", quote, text)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func FuzzControlQuote(f *testing.F) {
	for _, s := range specials {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		word, ok := controlQuote(s)
		if !ok {
			return
		}
		got, err := parseQuoted(word)
		if err != nil || got != s {
			t.Fatalf("%q was quoted as %q, which is %q, %v", s, word, got, err)
		}
	})
}

// specials mean something, at some place, to some version's parser.
var specials = []string{
	"", "'", `"`, `\`, "\n", "\r", "\t", " ", ";", `\;`, "#", "#{pid}", "#(id)", "$", "$HOME", "${HOME}", "~", "~root", "{", "}",
	"%", "%if", "%hidden", "%7", "=", "A=b", "-", "--", "-t", "*", "^", ",", ":", ".", "@", "!", "|", "&", "//", "/*",
	`\n`, `\012`, `\u0041`, "\x1b", "\x7f", "\x01", "\u0080", "é", "日本", "👍🏽", "e\u0301", "\ufeff", "\u2028", "\U0010ffff",
}

// What goes in comes back from the real tmux.
func TestControlQuoteOnTmux(t *testing.T) {
	in := startTestInstance(t)
	values := []string{strings.Repeat("x", 3000), strings.Repeat("'\n", 300)}
	for r := rune(1); r < 0x100; r++ {
		values = append(values, string(r), string(r)+"a", "a"+string(r))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var b strings.Builder
		for range 1 + random.IntN(10) {
			b.WriteString(specials[random.IntN(len(specials))])
		}
		values = append(values, b.String())
	}
	values = append(values, specials...)
	for _, value := range values {
		word, ok := controlQuote(value)
		if !ok || value == "" { // there is no empty buffer
			continue
		}
		// Not through newControlLine, which knows neither command. A file,
		// because what show-buffer prints has been made printable.
		file := filepath.Join(in.dir, "value")
		_, err := in.control.do(t.Context(), controlLine{
			text: "set-buffer -b test -- " + word + " ; save-buffer -b test " + file + "\n",
		})
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		// While the client attaches, it writes the file itself, and later.
		until(t, "the value "+strconv.Quote(value), func() bool {
			got, _ := os.ReadFile(file)
			return string(got) == value
		})
	}
}
