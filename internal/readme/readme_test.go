// Package readme holds a test of README.md.
package readme

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// program is what the README takes for granted around its snippets. Each snippet
// stands in a block inside the one before, so it can use and redeclare names.
const program = `package snippets

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/tuiauth"
)

func run(ctx context.Context, userHome, token, prompt, dir string, logger *slog.Logger, request tuiturn.Request, w io.Writer) error {
SNIPPETS
	return nil
}
`

var snippet = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// snippets returns the Go code of a page.
func snippets(page string) (all []string) {
	for _, match := range snippet.FindAllStringSubmatch(page, -1) {
		all = append(all, match[1])
	}
	return all
}

// compile compiles the snippets together, as a package of this module that is not
// in the tree, and returns what the compiler says.
func compile(t *testing.T, snippets []string) (string, error) {
	t.Helper()
	is := is.New(t)
	dir := t.TempDir()
	source := filepath.Join(dir, "snippets.go")
	nested := strings.Join(snippets, "\n{\n") + strings.Repeat("}\n", len(snippets)-1)
	is.NoErr(os.WriteFile(source, []byte(strings.Replace(program, "SNIPPETS", nested, 1)), 0o600))
	here, err := os.Getwd()
	is.NoErr(err)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(here, "snippets", "snippets.go"): source,
	}})
	is.NoErr(err)
	overlayFile := filepath.Join(dir, "overlay.json")
	is.NoErr(os.WriteFile(overlayFile, overlay, 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlayFile, "./snippets").CombinedOutput()
	return string(out), err
}

func TestSnippetsCompile(t *testing.T) {
	is := is.New(t)
	page, err := os.ReadFile("../../README.md")
	is.NoErr(err)
	all := snippets(string(page))
	is.Equal(len(all), 4) // of README.md: every one is compiled, none is overlooked
	if out, err := compile(t, all); err != nil {
		t.Fatalf("the snippets of README.md do not compile together: %v\n%s", err, out)
	}
}

// Without this the test above would pass if nothing were compiled.
func TestWrongSnippet(t *testing.T) {
	is := is.New(t)
	all := snippets("text\n```go\n_ = tuiturn.Runner{Token: token}\n```\ntext\n")
	is.Equal(len(all), 1)
	out, err := compile(t, all)
	is.True(err != nil)
	is.True(strings.Contains(out, "tuiauth.Secret")) // a string is not one
}
