package tuiturn

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

var showArrows = flag.Bool("arrows", false, "with -v, list what ties the files of each knot together")

// limits says how entangled the files of a package may be. The limits only go down:
// lower them when the test reports lower figures.
var limits = map[string]struct{ knot, mutual int }{
	".":               {},
	"internal/agent":  {},
	"internal/claude": {knot: 2, mutual: 1},
	"internal/drive":  {knot: 18, mutual: 17},
}

// A reader can understand a file on its own if the files that it uses do not use it
// in turn. Where files reach each other in a circle, they have to be read together.
// "go test -run Knot -v -arrows ." lists what ties them together.
func TestKnot(t *testing.T) {
	imp := exports(t, slices.Sorted(maps.Keys(limits)))
	for dir, limit := range limits {
		t.Run(dir, func(t *testing.T) {
			pkg, err := build.ImportDir(dir, 0)
			if err != nil {
				t.Fatal(err)
			}
			fset := token.NewFileSet()
			var files []*ast.File
			for _, name := range pkg.GoFiles {
				file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, file)
			}
			uses, err := usesBetween(fset, files, imp)
			if err != nil {
				t.Fatal(err)
			}
			mutual, knot := uses.mutual(), uses.knot()
			pairs := len(mutual) / 2
			t.Logf("%d files, %d arrows, %d mutual pairs, largest knot %d: %s",
				len(files), len(uses), pairs, len(knot), strings.Join(knot, " "))
			if *showArrows {
				t.Logf("what ties the knot, the fewest uses first:\n%s", uses.within(knot))
			}
			if len(knot) > limit.knot || pairs > limit.mutual {
				t.Errorf("the limits are %d mutual pairs and a knot of %d files. Cut one arrow of a pair, the fewest uses first:\n%s",
					limit.mutual, limit.knot, mutual)
			} else if len(knot) < limit.knot || pairs < limit.mutual {
				t.Logf("lower the limits, which are %d mutual pairs and a knot of %d files", limit.mutual, limit.knot)
			}
		})
	}
}

// exports returns an importer for what the packages in dirs depend on. It reads what
// the go command has compiled.
func exports(t *testing.T, dirs []string) types.Importer {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command, which finds what a package imports, is missing")
	}
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}"}
	for _, dir := range dirs {
		args = append(args, "./"+dir)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	file := map[string]string{}
	for line := range strings.Lines(string(out)) {
		pkg, name, _ := strings.Cut(strings.TrimSpace(line), "=")
		file[pkg] = name
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(pkg string) (io.ReadCloser, error) {
		return os.Open(file[pkg])
	})
}

// An arrow leads from a file to another file whose declarations it uses.
type arrow struct{ from, to string }

// uses holds the arrows between the files of a package. Each arrow has the names that
// make it, and how often each name is used.
type uses map[arrow]map[string]int

// usesBetween finds where a file uses what another file of the package declares: an
// object at package level, a method or a field.
func usesBetween(fset *token.FileSet, files []*ast.File, imp types.Importer) (uses, error) {
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: imp}
	pkg, err := conf.Check("p", fset, files, &info)
	if err != nil {
		return nil, err
	}
	file := func(pos token.Pos) string { return filepath.Base(fset.Position(pos).Filename) }
	all := uses{}
	for ident, obj := range info.Uses {
		a := arrow{file(ident.Pos()), file(obj.Pos())}
		if obj.Pkg() != pkg || a.from == a.to {
			continue
		}
		if all[a] == nil {
			all[a] = map[string]int{}
		}
		all[a][label(obj)]++
	}
	return all, nil
}

// label names an object as a reader would look for it: T.method, .field, name.
func label(obj types.Object) string {
	switch o := obj.(type) {
	case *types.Var:
		if o.IsField() {
			return "." + o.Name()
		}
	case *types.Func:
		if recv := o.Signature().Recv(); recv != nil {
			typ := recv.Type()
			if p, ok := typ.(*types.Pointer); ok {
				typ = p.Elem()
			}
			if named, ok := typ.(*types.Named); ok {
				return named.Obj().Name() + "." + o.Name()
			}
		}
	}
	return obj.Name()
}

// within returns the uses between some of the files.
func (u uses) within(files []string) uses {
	some := maps.Clone(u)
	maps.DeleteFunc(some, func(a arrow, _ map[string]int) bool {
		return !slices.Contains(files, a.from) || !slices.Contains(files, a.to)
	})
	return some
}

// mutual returns the uses between files that use each other, two arrows for each pair.
func (u uses) mutual() uses {
	some := maps.Clone(u)
	maps.DeleteFunc(some, func(a arrow, _ map[string]int) bool { return u[arrow{a.to, a.from}] == nil })
	return some
}

// knot returns the largest set of files that reach each other, or nothing if there is
// no circle.
func (u uses) knot() (largest []string) {
	next := map[string][]string{}
	for a := range u {
		next[a.from] = append(next[a.from], a.to)
	}
	reach := map[string]map[string]bool{}
	for from := range next {
		seen := map[string]bool{}
		for todo := next[from]; len(todo) > 0; {
			file := todo[0]
			todo = todo[1:]
			if !seen[file] {
				seen[file] = true
				todo = append(todo, next[file]...)
			}
		}
		reach[from] = seen
	}
	for _, file := range slices.Sorted(maps.Keys(reach)) {
		var knot []string
		for other := range reach[file] {
			if reach[other][file] {
				knot = append(knot, other)
			}
		}
		if len(knot) > len(largest) {
			largest = knot
		}
	}
	slices.Sort(largest)
	return largest
}

// String lists the arrows, one on each line, the fewest uses first. If two files use
// each other, the second arrow follows the first.
func (u uses) String() string {
	var b strings.Builder
	done := map[arrow]bool{}
	order := func(a, b arrow) int {
		return cmp.Or(cmp.Compare(u.count(a), u.count(b)), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	}
	for _, a := range slices.SortedFunc(maps.Keys(u), order) {
		if done[a] {
			continue
		}
		fmt.Fprintf(&b, "%s -> %s: %s\n", a.from, a.to, u.names(a))
		if back := (arrow{a.to, a.from}); u[back] != nil {
			done[back] = true
			fmt.Fprintf(&b, "    %s -> %s: %s\n", back.from, back.to, u.names(back))
		}
	}
	return b.String()
}

// count returns how many uses make an arrow.
func (u uses) count(a arrow) (n int) {
	for _, times := range u[a] {
		n += times
	}
	return n
}

// names lists what makes an arrow.
func (u uses) names(a arrow) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(u[a])) {
		if times := u[a][name]; times > 1 {
			name = fmt.Sprintf("%s (%d)", name, times)
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// The arrows of this package can be counted by hand.
func TestKnotIsMeasured(t *testing.T) {
	fset := token.NewFileSet()
	var files []*ast.File
	for name, src := range map[string]string{
		"a.go": "package p; type A struct{ n int }; func (a A) f() { b(); b() }",
		"b.go": "package p; func b() { c(A{}) }",
		"c.go": "package p; func c(a A) { var local = a.n; _ = local; a.f(); unused() }",
		"d.go": "package p; func unused() { _ = e }; var _ any = b",
		"e.go": "package p; const e = 1",
	} {
		file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	uses, err := usesBetween(fset, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	is := is.New(t)
	is.Equal(uses.knot(), []string{"a.go", "b.go", "c.go", "d.go"}) // e.go uses nothing
	is.Equal(uses.mutual().String(), "b.go -> a.go: A\n    a.go -> b.go: b (2)\n")
	is.Equal(uses.String(), `b.go -> a.go: A
    a.go -> b.go: b (2)
b.go -> c.go: c
c.go -> d.go: unused
d.go -> b.go: b
d.go -> e.go: e
c.go -> a.go: .n, A, A.f
`)
}
