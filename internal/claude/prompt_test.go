package claude

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/text"
)

func TestDisarm(t *testing.T) {
	for _, c := range []struct{ prompt, want string }{
		{"hello", "hello "},
		{"hello\n", "hello\n "},
		{"/help", `\/help `},
		{"!ls", `\!ls `},
		{"  /help", `  \/help `},
		{"\n/help", "\n\\/help "},
		{"\u200b/help", "\u200b\\/help "},
		{"\ufeff \u2060!ls", "\ufeff \u2060\\!ls "},
		{"a\n/help", "a\n/help "},
		{"/etc/hosts is a file", `\/etc/hosts is a file `},
		{`\/help`, `\/help `},
		{"exit", `\exit `},
		{" Quit\n", " \\Quit\n "},
		{":wq!", `\:wq! `},
		{"ex\u200bit", "\\ex\u200bit "}, // 2.1.330 would read "exit"
		{"e x i t", "e x i t "},
		{"exit now", "exit now "},
		{"@file", "@file "}, // the environment's affair
		{"a\r\nb\rc", "a\nb\nc "},
		{"a\tb", "a\tb "},
		{"\x1b\x7f\u0085\x01", "\u241b\u2421\ufffd\u2401 "},
		{"\x1b/help", "\u241b/help "},
	} {
		is := is.New(t)
		got, err := disarm(c.prompt, false)
		is.NoErr(err)
		is.Equal(got, c.want)
	}
	is := is.New(t)
	got, err := disarm("/help", true)
	is.NoErr(err)
	is.Equal(got, "/help ")
}

func TestTook(t *testing.T) {
	for _, c := range []struct {
		sent, recorded string
		want           bool
	}{
		{"hello ", "hello", true},
		{"a\tb\n\nc ", "a b c", true},
		{"a\u200bb ", "ab", true},          // 2.1.330
		{"cafe\u0301 ", "caf\u00e9", true}, // 2.1.104 and 2.1.158 compose
		{"\u0958 ", "\u0915\u093c", true},  // which takes some apart
		{"\u212a ", "K", true},
		{"\u65e5\u672c ", "\u5225\u7269", false},
		{"hello ", "hello\nfrom elsewhere", false},
		{`\/help `, `\/help`, true},
		{`</a> `, `<\/a>`, true}, // 2.1.330
		{"hello ", "", false},
	} {
		if got := (Claude{}).Took(&agent.Prompt{Put: c.sent}, c.recorded); got != c.want {
			t.Errorf("Took(%q) after %q: %v", c.recorded, c.sent, got)
		}
	}
}

func TestDisarmPlaceholders(t *testing.T) {
	is := is.New(t)
	disarm := func(prompt string, left ...string) string {
		t.Helper()
		got, err := Claude{}.Disarm(&agent.Prompt{Text: prompt}, left)
		is.NoErr(err)
		return got
	}
	const one = "[Image #1]"
	fill := func(n int) string { return strings.Repeat("x", n) }
	spaces := strings.Repeat(" ", 500)

	// With the space behind it, 10,000 units are not folded yet.
	is.Equal(disarm(one+fill(9_989)), one+fill(9_989)+" ")
	is.Equal(disarm(one+fill(9_990)), `[\Image #1]`+fill(9_990)+spaces)
	is.Equal(disarm(one+strings.Repeat("\U0001f600", 4_995)), `[\Image #1]`+strings.Repeat("\U0001f600", 4_995)+spaces)
	is.Equal(disarm(one+strings.Repeat("é", 6_000)), one+strings.Repeat("é", 6_000)+" ") // bytes do not count

	// Only what ends within the first 500.
	is.Equal(disarm(fill(490)+one+fill(10_000)+one), fill(490)+`[\Image #1]`+fill(10_000)+one+spaces)
	is.Equal(disarm(fill(491)+one+fill(10_000)), fill(491)+one+fill(10_000)+spaces)

	for text, want := range map[string]string{
		"[Pasted text #1]":                   `[\Pasted text #1]`,
		"[Pasted text #01 +3 lines]":         `[\Pasted text #01 +3 lines]`,
		"[...Truncated text #1 +0 lines...]": `[\...Truncated text #1 +0 lines...]`,
		"[✦ Team setup guide #1]":            `[\✦ Team setup guide #1]`,
		"[Image #1][Image #1]":               `[\Image #1][\Image #1]`,
		"[Image #2]":                         "[Image #2]",
		"[Image #2147483647]":                "[Image #2147483647]",
		"[Image #2147483648]":                `[\Image #2147483648]`,
		"[Image #99999999999999999999999]":   `[\Image #99999999999999999999999]`,
		"[Image #1":                          "[Image #1",
		"Image #1]":                          "Image #1]",
	} {
		is.Equal(disarm(text+fill(10_000)), want+fill(10_000)+spaces)
	}

	// What an earlier prompt has left can have any number, and must not come again.
	long := fill(600) + strings.Repeat("y", 12_000) + fill(600)
	text, err := Claude{}.Disarm(&agent.Prompt{Text: long}, nil)
	is.NoErr(err)
	left, ok := Claude{}.Leaves(&agent.Prompt{Put: text, Pasted: false})
	is.True(ok)
	is.Equal(left, long[500:len(long)-500])
	is.Equal(disarm("see [Image #7]", left), `see [\Image #7] `)
	_, err = Claude{}.Disarm(&agent.Prompt{Text: "again: " + long}, []string{left})
	is.True(errors.Is(err, agent.ErrInvalidPrompt))
	_, ok = Claude{}.Leaves(&agent.Prompt{Put: "short ", Pasted: false})
	is.True(!ok)
	left, ok = Claude{}.Leaves(&agent.Prompt{Put: "short ", Pasted: true})
	is.True(ok)
	is.Equal(disarm("short [Image #7]", left), `short [\Image #7] `)
}

// What goes into the input line begins with nothing that the agent would obey,
// and says what the prompt says.
func FuzzDisarm(f *testing.F) {
	for _, s := range []string{
		"hello", "/help", "\u200b!ls", " exit ", ":q!", "ex\u00adit", "a\r\nb\\", "\x1b[201~", "\ufe0f\u3000/x", "\u241b/", `\`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, prompt string) {
		if !utf8.ValidString(prompt) || len(text.Visible(prompt)) == 0 {
			return // no such prompt comes here
		}
		got, err := Claude{}.Disarm(&agent.Prompt{Text: prompt}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.ValidString(got) || !strings.HasSuffix(got, " ") {
			t.Fatalf("disarm(%q) = %q", prompt, got)
		}
		for _, c := range got {
			if unicode.IsControl(c) && c != '\n' && c != '\t' {
				t.Fatalf("disarm(%q) = %q holds %U", prompt, got, c)
			}
		}
		// As 2.1.330 sees it: the invisible first.
		seen := strings.TrimSpace(strings.Map(dropInvisible, got))
		if strings.HasPrefix(seen, "/") || strings.HasPrefix(seen, "!") {
			t.Fatalf("disarm(%q) = %q is a command", prompt, got)
		}
		for _, word := range exitWords {
			if strings.EqualFold(seen, word) {
				t.Fatalf("disarm(%q) = %q ends the agent", prompt, got)
			}
		}
		same := strings.TrimSuffix(got, " ")
		if want := text.Normalize(prompt); same != want && strings.Replace(same, `\`, "", 1) != want {
			t.Fatalf("disarm(%q) = %q changes more than it has to", prompt, got)
		}
		// The receipt is recognised.
		if !(Claude{}).Took(&agent.Prompt{Put: got}, strings.TrimSpace(got)) {
			t.Fatalf("the receipt of %q is not recognised", got)
		}
	})
}

func disarm(prompt string, commands bool) (string, error) {
	return Claude{}.Disarm(&agent.Prompt{Text: prompt, Commands: commands}, nil)
}
