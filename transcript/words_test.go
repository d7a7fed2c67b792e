package transcript_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// shared are the words that claude's files have in common with the others.
var shared = map[string]bool{
	"text": true, "tool_use": true, // what this package itself calls the types of blocks
	"error": true, "session": true, "version": true, // keys of log records
	"find": true, // what an error says that was done
}

// TestClaudeStandsInOnePlace: what is known of claude only stands in claude*.go. No
// other file has its name, or a word of its format, in an identifier or a string.
func TestClaudeStandsInOnePlace(t *testing.T) {
	is := is.New(t)
	name := regexp.MustCompile(`(?i)claude|anthropic`)
	files, err := filepath.Glob("*.go")
	is.NoErr(err)
	known := make(map[string]bool)
	for _, file := range files {
		if strings.HasPrefix(file, "claude") {
			_, strings := wordsOf(t, file)
			for _, word := range strings {
				known[word] = true
			}
		}
	}
	for _, word := range []string{"max_tokens", "stop_hook_summary", "[Request", ".claude", "turn_duration", "MessageDisplay"} {
		if !known[word] {
			t.Errorf("%q is not in claude*.go: does this test still see the words?", word)
		}
	}
	for _, file := range files {
		if strings.HasPrefix(file, "claude") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		identifiers, strings := wordsOf(t, file)
		for _, word := range identifiers {
			if name.MatchString(word) {
				t.Errorf("%s: the identifier %s names claude", file, word)
			}
		}
		for _, word := range strings {
			if name.MatchString(word) || known[word] && !shared[word] {
				t.Errorf("%s: the string %q is a word of claude's", file, word)
			}
		}
	}
}

// technical is what a word of a format looks like, in a sentence or a list.
var technical = regexp.MustCompile(`\w[_.]\w|[a-z][A-Z]|^[.\[]\w`)

// wordsOf are a file's identifiers, and of its strings those that are one word and
// the technical words of the others.
func wordsOf(t *testing.T, file string) (identifiers, words []string) {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	is.New(t).NoErr(err)
	letter := regexp.MustCompile(`[A-Za-z]{2}`)
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Ident:
			identifiers = append(identifiers, n.Name)
		case *ast.BasicLit:
			if n.Kind != token.STRING {
				return true
			}
			value, err := strconv.Unquote(n.Value)
			is.New(t).NoErr(err)
			for word := range strings.FieldsSeq(value) {
				if technical.MatchString(word) || word == value && letter.MatchString(word) {
					words = append(words, word)
				}
			}
		}
		return true
	})
	return identifiers, words
}
