package qmtui_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var codeWord = regexp.MustCompile(`^[a-z]+(_[a-z0-9]+)*$`)

// codes finds the codes that the program can tell people, of an error, of a
// warning or in its log, each with a file that does.
func codes(t *testing.T) map[string][]string {
	t.Helper()
	rooms := map[string][]*ast.File{}
	names := map[*ast.File]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "dist" || path != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		room := filepath.Dir(path)
		rooms[room], names[f] = append(rooms[room], f), filepath.ToSlash(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, files := range rooms {
		places := placesOf(files)
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				for _, code := range places.read(n) {
					if codeWord.MatchString(code) {
						out[code] = append(out[code], names[f])
					}
				}
				return true
			})
		}
	}
	return out
}

// places are the parameters of a room's functions and the fields of its
// structs that are called code, by name: where a code stands without saying so.
type places map[string]int

func placesOf(files []*ast.File) places {
	p := places{}
	add := func(name string, list *ast.FieldList) {
		if i := slices.Index(fieldNames(list), "code"); i >= 0 {
			p[name] = i
		}
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				add(n.Name.Name+"()", n.Type.Params)
			case *ast.AssignStmt:
				for i, x := range n.Rhs {
					if fn, ok := x.(*ast.FuncLit); ok && i < len(n.Lhs) {
						add(nameOf(n.Lhs[i])+"()", fn.Type.Params)
					}
				}
			case *ast.TypeSpec:
				if st, ok := n.Type.(*ast.StructType); ok {
					add(n.Name.Name, st.Fields)
				}
			}
			return true
		})
	}
	return p
}

func fieldNames(list *ast.FieldList) (out []string) {
	for _, f := range list.List {
		for _, n := range f.Names {
			out = append(out, n.Name)
		}
	}
	return out
}

func nameOf(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	}
	return ""
}

// read finds the codes that a node tells.
func (p places) read(n ast.Node) []string {
	switch n := n.(type) {
	case *ast.CompositeLit:
		return append(p.at(nameOf(n.Type), n.Elts), keyed(n)...)
	case *ast.CallExpr:
		return append(p.at(nameOf(n.Fun)+"()", n.Args), logged(n.Args)...)
	case *ast.AssignStmt:
		return assigned(n)
	case *ast.ValueSpec:
		return constants(n)
	}
	return nil
}

// at reads the value in the place of the code.
func (p places) at(name string, values []ast.Expr) []string {
	i, ok := p[name]
	if !ok || i >= len(values) {
		return nil
	}
	return []string{text(values[i])}
}

// keyed reads Code: "x".
func keyed(n *ast.CompositeLit) (out []string) {
	for _, e := range n.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && strings.EqualFold(nameOf(kv.Key), "code") {
			out = append(out, text(kv.Value))
		}
	}
	return out
}

// logged reads the pair "code", "x" of a call of the logger.
func logged(args []ast.Expr) (out []string) {
	for i := 0; i+1 < len(args); i++ {
		if text(args[i]) == "code" {
			out = append(out, text(args[i+1]))
		}
	}
	return out
}

// assigned reads x.Code = "y", alone or among others.
func assigned(n *ast.AssignStmt) (out []string) {
	for i, to := range n.Lhs {
		if field, ok := to.(*ast.SelectorExpr); ok && field.Sel.Name == "Code" && i < len(n.Rhs) {
			out = append(out, text(n.Rhs[i]))
		}
	}
	return out
}

// constants reads CodeX = "y".
func constants(n *ast.ValueSpec) (out []string) {
	for i, name := range n.Names {
		if strings.HasPrefix(name.Name, "Code") && i < len(n.Values) {
			out = append(out, text(n.Values[i]))
		}
	}
	return out
}

// text is the value of a literal; empty for anything else.
func text(x ast.Expr) string {
	l, ok := x.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(l.Value)
	return s
}
