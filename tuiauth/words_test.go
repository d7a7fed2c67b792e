package tuiauth

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Only claude*.go know claude: no other file has a word of claude's in an identifier
// or in a string. Comments may have one, because a nil Layout means claude.
func TestOnlyClaudesFilesKnowClaude(t *testing.T) {
	word := regexp.MustCompile(`(?i)claude|anthropic|sk-ant|\.credentials|apikeyhelper|primaryapikey|hastrust|hascompleted|settings\.json|proper-?lockfile|"\.lock"`)
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			text := ""
			switch n := n.(type) {
			case *ast.Ident:
				text = n.Name
			case *ast.BasicLit:
				text = n.Value
			}
			switch {
			case !word.MatchString(text):
			case strings.HasPrefix(name, "claude"):
				own++
			default:
				t.Errorf("%v: %s is claude's: it belongs in its Layout, in claude*.go", fset.Position(n.Pos()), text)
			}
			return true
		})
	}
	if own < 50 {
		t.Errorf("claude*.go have %d words of claude: the test does not see them", own)
	}
}
