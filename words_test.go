package tuiturn

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/matryer/is"
)

// A neutral package serves every agent.
type neutral struct {
	claude []string // the files that define Claude
	except []string // words of claude's in other files, "file: word"; the list only shrinks
}

var neutrals = map[string]neutral{
	".": {
		claude: []string{"claude.go"},
	},
	"internal/agent": {except: []string{"agent.go: login", "agent.go: onboarding", "agent.go: settings", "agent.go: trust"}}, // kinds of menus, of our own
	"internal/drive": {},
}

// What is true of claude only stands in the files that define Claude. Elsewhere no
// identifier and no string holds a word of claude's.
func TestClaudeWords(t *testing.T) {
	for dir, n := range neutrals {
		t.Run(dir, func(t *testing.T) {
			fset := token.NewFileSet()
			found := map[string]token.Position{}
			names, err := filepath.Glob(filepath.Join(dir, "*.go"))
			if err != nil || len(names) == 0 {
				t.Fatalf("%s holds no Go files: %v", dir, err)
			}
			for _, name := range n.claude {
				if !slices.Contains(names, filepath.Join(dir, name)) {
					t.Errorf("%s, which defines Claude, is gone: remove it from the list", name)
				}
			}
			for _, name := range names {
				if !source(name) || slices.Contains(n.claude, filepath.Base(name)) {
					continue
				}
				file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
				if err != nil {
					t.Fatal(err)
				}
				for word, pos := range claudeWords(file) {
					found[filepath.Base(name)+": "+word] = fset.Position(pos)
				}
			}
			onlyExceptions(t, found, n.except, "only claude has this word: move it behind Agent")
		})
	}
}

// onlyExceptions fails the test for each finding that is no exception, and for each
// exception that was not found.
func onlyExceptions(t *testing.T, found map[string]token.Position, except []string, problem string) {
	t.Helper()
	for _, what := range slices.Sorted(maps.Keys(found)) {
		if !slices.Contains(except, what) {
			t.Errorf("%s: %q: %s", found[what], what, problem)
		}
	}
	for _, what := range except {
		if _, ok := found[what]; !ok {
			t.Errorf("the exception %q is not needed any more: remove it", what)
		}
	}
}

var (
	// anyCase finds identifiers, and words in strings, that name claude or what only
	// claude has.
	anyCase = regexp.MustCompile(`(?i)\w*(claude|anthropic|AskUserQuestion|ExitPlanMode|MessageDisplay|UserPromptSubmit)\w*`)

	// inText finds claude's words in strings: hooks and their fields, stop reasons,
	// kinds of errors, files, keys and versions.
	inText = regexp.MustCompile(`\b(PermissionRequest|PreToolUse|PostToolUse|SessionStart|SessionEnd|SubagentStop|PreCompact|Stop hooks?` +
		`|hook_event_name|hookSpecificOutput|agent_id|message_id|prompt_id|turn_id|tool_name|tool_input|last_assistant_message` +
		`|end_turn|max_tokens|stop_sequence|pause_turn|tool_use|turn_duration|blocked_by_hook|hook_stopped_continuation` +
		`|authentication_error|authentication_failed|overloaded_error|Request interrupted by user` +
		`|settings\.json|C-[a-z]|Escape|2\.1\.\d+)\b`)

	// wholeText finds strings that are one of claude's words and nothing else. In a
	// longer string these words are ordinary English.
	wholeText = regexp.MustCompile(`^(Stop|Notification|refusal|Bash|login|onboarding|settings|trust)$`)
)

// claudeWords returns claude's words in a file's identifiers and strings, each with
// one of its places. Comments and imports do not count.
func claudeWords(file *ast.File) map[string]token.Pos {
	words := map[string]token.Pos{}
	add := func(pos token.Pos, text string, patterns ...*regexp.Regexp) {
		for _, pattern := range patterns {
			for _, word := range pattern.FindAllString(text, -1) {
				words[word] = pos
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Ident:
			add(n.Pos(), n.Name, anyCase)
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				add(n.Pos(), text, anyCase, inText, wholeText)
			}
		}
		return true
	})
	return words
}

func TestClaudeWordsAreFound(t *testing.T) {
	const src = `package p

import "example.com/claude"

// Comments may name claude.
type PermissionRequest struct{ ID string ` + "`json:\"prompt_id\"`" + ` }

func onMessageDisplay(Stop bool) {
	switch "max_tokens"[0:] {
	case "Stop", "do Stop", "login", "a login", "say CLAUDE_CODE_X=1", "unescaped", "C-g":
	}
}
`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	is := is.New(t)
	is.Equal(slices.Sorted(maps.Keys(claudeWords(file))), []string{
		"C-g", "CLAUDE_CODE_X", "Stop", "login", "max_tokens", "onMessageDisplay", "prompt_id",
	})
}
