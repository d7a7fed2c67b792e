package tuiturn

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// maxLength is how many lines a function may have. The lines of tables in it do not
// count.
const maxLength = 80

// A function is short enough to be read at once.
func TestFunctionLength(t *testing.T) {
	fset := token.NewFileSet()
	found := map[string]token.Position{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !source(name):
			return nil
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && length(fset, f) > maxLength {
				found[filepath.ToSlash(name)+": "+f.Name.Name] = fset.Position(f.Pos())
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	onlyExceptions(t, found, nil, fmt.Sprintf("split it: a function has at most %d lines, tables aside", maxLength))
}

// length counts the lines of a function without its doc comment and without its
// tables, which are composite literals that hold no code.
func length(fset *token.FileSet, f *ast.FuncDecl) int {
	breaks := func(n ast.Node) int { return fset.Position(n.End()).Line - fset.Position(n.Pos()).Line }
	lines := breaks(f) + 1
	ast.Inspect(f, func(n ast.Node) bool {
		table, ok := n.(*ast.CompositeLit)
		if !ok || holdsCode(table) {
			return true
		}
		lines -= breaks(table)
		return false
	})
	return lines
}

func holdsCode(table *ast.CompositeLit) (code bool) {
	ast.Inspect(table, func(n ast.Node) bool {
		_, ok := n.(*ast.FuncLit)
		code = code || ok
		return !code
	})
	return code
}

func TestFunctionLengthIsMeasured(t *testing.T) {
	const src = `package p

// A comment before it does not count.
func f() {
	table := []any{
		1,
		[]int{
			2,
		},
	}
	code := []func(){
		func() {
		},
	}
}
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	is := is.New(t)
	is.Equal(length(fset, file.Decls[0].(*ast.FuncDecl)), 7)
}
