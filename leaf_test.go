package tuiturn

import (
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tuiturn/tuiturn"

// leaves are the packages that stand alone, each with the reason.
var leaves = map[string]string{
	"tuiauth":    "a host uses it to prepare a home for an agent that it starts in its own way",
	"tmuxctl":    "it runs any program, not agents alone",
	"transcript": "it reads what any agent has left, on a host that may have no terminal at all",
	"reaper":     "it must still clean up when whatever made the mess has failed",
}

// Leaves import neither each other nor the root, which composes them. Every file
// counts but tests, whichever system it is for.
func TestLeavesStandAlone(t *testing.T) {
	for leaf, reason := range leaves {
		t.Run(leaf, func(t *testing.T) {
			via := imports(t, leaf)
			if len(via) < 2 {
				t.Fatalf("%s has no imports: is it still there?", leaf)
			}
			for other := range leaves {
				if from, ok := via[path.Join(module, other)]; ok && other != leaf {
					t.Errorf("%s imports the leaf %s: it must stand alone, for %s", from, other, reason)
				}
			}
			if from, ok := via[module]; ok {
				t.Errorf("%s imports the root: it must stand alone, for %s", from, reason)
			}
		})
	}
}

// layers are the packages between the root and the leaves, each with what of this
// module it may import, directly or not, and the reason.
var layers = map[string]struct {
	imports []string
	reason  string
}{
	"internal/agent": {[]string{"transcript", "internal/text"},
		"it is the contract, which names neither an agent nor the engine"},
	"internal/claude": {[]string{"internal/agent", "internal/hook", "internal/version", "internal/command", "internal/text", "internal/fifo", "internal/proc", "transcript"},
		"whoever adds an agent must need nothing of the engine"},
	"internal/drive": {nil, "it runs any agent: only the root imports the package of one"},
}

// An agent's package knows the contract and no engine, and the engine knows no agent.
func TestLayers(t *testing.T) {
	for pkg, layer := range layers {
		via := imports(t, pkg)
		for imported, from := range via {
			name, ours := strings.CutPrefix(imported, module+"/")
			switch {
			case imported == module, name == "internal/claude" && pkg != name:
				t.Errorf("%s imports %s, for %s: %s", from, imported, pkg, layer.reason)
			case ours && name != pkg && layer.imports != nil && !slices.Contains(layer.imports, name):
				t.Errorf("%s imports %s, for %s: %s", from, imported, pkg, layer.reason)
			}
		}
	}
}

// What others' tests import brings nothing along that they did not choose: no
// library for tests, no terminal emulator.
func TestKitsStandAlone(t *testing.T) {
	for _, kit := range []string{"tmuxctl/tmuxtest", "transcript/transcripttest"} {
		for pkg, from := range imports(t, kit) {
			first, _, _ := strings.Cut(pkg, "/")
			ours := pkg == module || strings.HasPrefix(pkg, module+"/")
			if strings.Contains(first, ".") && !ours && !strings.HasPrefix(pkg, "golang.org/x/sys/") {
				t.Errorf("%s imports %s, for %s: a kit imports nothing but this module", from, pkg, kit)
			}
			if pkg == module {
				t.Errorf("%s imports the root, for %s: whose own tests could not use it", from, kit)
			}
		}
	}
}

// imports are the packages that a package of this module depends on, itself
// included, each with one that imports it. Other modules are not looked into:
// they can't import this one.
func imports(t *testing.T, pkg string) map[string]string {
	t.Helper()
	via := map[string]string{path.Join(module, pkg): ""}
	for todo := []string{pkg}; len(todo) > 0; {
		dir := todo[0]
		todo = todo[1:]
		files, err := filepath.Glob(filepath.Join(filepath.FromSlash(dir), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range file.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if _, seen := via[imported]; seen {
					continue
				}
				via[imported] = name
				if rest, ours := strings.CutPrefix(imported, module+"/"); ours {
					todo = append(todo, rest)
				}
			}
		}
	}
	return via
}
