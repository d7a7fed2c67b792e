package tuiturn

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write .ci/api.txt anew")

// What other modules can name is written down in .ci/api.txt, so that a change of
// it is seen where it is reviewed.
func TestAPI(t *testing.T) {
	const golden = ".ci/api.txt"
	var api []string
	for _, dir := range publicPackages(t) {
		api = append(api, exported(t, dir)...)
	}
	got := strings.Join(api, "\n") + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	old := strings.Split(strings.TrimSuffix(string(want), "\n"), "\n")
	for _, line := range old {
		if !slices.Contains(api, line) {
			t.Errorf("gone, or changed: %s", line)
		}
	}
	for _, line := range api {
		if !slices.Contains(old, line) {
			t.Errorf("new: %s", line)
		}
	}
	t.Errorf("the exported API is not what %s says. If that is meant, run\n"+
		"\tgo test -run TestAPI -update .\n"+
		"commit the file, and say so in CHANGELOG.md: what is gone or changed breaks somebody's build.", golden)
}

// publicPackages are the directories of this module that others can import.
func publicPackages(t *testing.T) (dirs []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			hidden := name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "internal" || d.Name() == "testdata" || err == nil)
			if hidden {
				return fs.SkipDir
			}
			return nil
		}
		if dir := filepath.Dir(name); source(name) && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(dirs)
	return dirs
}

func source(name string) bool {
	return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
}

// exported is the API of a package, a line for each name, field and method, sorted.
// Files for other systems count too.
func exported(t *testing.T, dir string) (lines []string) {
	t.Helper()
	pkg := path.Join(module, filepath.ToSlash(dir))
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	add := func(format string, args ...any) {
		lines = append(lines, "pkg "+pkg+", "+fmt.Sprintf(format, args...))
	}
	for _, name := range names {
		if !source(name) {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			apiOf(decl, func(n any) string { return printed(t, fset, n) }, add)
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// apiOf adds what a declaration exports.
func apiOf(decl ast.Decl, text func(any) string, add func(string, ...any)) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() {
			return
		}
		signature := d.Name.Name + strings.TrimPrefix(text(d.Type), "func")
		if d.Recv == nil {
			add("func %s", signature)
		} else if recv := text(d.Recv.List[0].Type); ast.IsExported(strings.TrimLeft(recv, "*")) {
			add("method (%s) %s", recv, signature)
		}
	case *ast.GenDecl:
		// In a block of constants one without a type and a value is like the last.
		kind, value := "", any(nil)
		for i, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					typeAPI(s, text, add)
				}
			case *ast.ValueSpec:
				if s.Type != nil {
					kind = " " + text(s.Type)
				} else if s.Values != nil {
					kind = ""
				}
				for j, name := range s.Names {
					if j < len(s.Values) {
						value = s.Values[j]
					}
					switch {
					case !name.IsExported():
					case d.Tok == token.VAR:
						add("var %s%s", name, kind)
					default: // the place in the block is what iota is
						add("const %s%s = %s%s", name, kind, text(value), iotaAt(text(value), i))
					}
				}
			}
		}
	}
}

// iotaAt tells what iota is in an expression, if that matters.
func iotaAt(expr string, i int) string {
	if !strings.Contains(expr, "iota") {
		return ""
	}
	return fmt.Sprintf(" (iota %d)", i)
}

// typeAPI adds a type with its exported fields or methods.
func typeAPI(s *ast.TypeSpec, text func(any) string, add func(string, ...any)) {
	name, equals := s.Name.Name, ""
	if s.TypeParams != nil {
		var params []string
		for _, p := range s.TypeParams.List {
			for _, n := range p.Names {
				params = append(params, n.Name+" "+text(p.Type))
			}
		}
		name += "[" + strings.Join(params, ", ") + "]"
	}
	if s.Assign != token.NoPos {
		equals = "= "
	}
	var members *ast.FieldList
	var what string
	switch typ := s.Type.(type) {
	case *ast.StructType:
		what, members = "struct", typ.Fields
	case *ast.InterfaceType:
		what, members = "interface", typ.Methods
	default:
		add("type %s %s%s", name, equals, text(s.Type))
		return
	}
	hidden := false
	for _, m := range members.List {
		tag := ""
		if m.Tag != nil {
			tag = " " + m.Tag.Value
		}
		if len(m.Names) == 0 {
			add("type %s %s, embedded %s%s", name, what, text(m.Type), tag)
		}
		for _, n := range m.Names {
			switch {
			case !n.IsExported():
				hidden = true
			case what == "interface":
				add("type %s interface, %s%s", name, n, strings.TrimPrefix(text(m.Type), "func"))
			default:
				add("type %s struct, %s %s%s", name, n, text(m.Type), tag)
			}
		}
	}
	if hidden && what == "interface" {
		what += ", which only this package implements"
	}
	add("type %s %s%s", name, equals, what)
}

func printed(t *testing.T, fset *token.FileSet, node any) string {
	t.Helper()
	var b bytes.Buffer
	if err := printer.Fprint(&b, fset, node); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
