// Package bounds writes docs/limits.md: every bound on what somebody may take,
// with defaults from package config and constants from the source of the others.
// No program uses it.
package bounds

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/comfyume/qmtui/internal/config"
)

//go:generate go run generate.go

// bound is one row.
type bound struct {
	// name is a key of the configuration, or below internal/ a package with a
	// constant or a field of a variable: server.allStreams, server.pace.Least.
	name string
	unit unit // of a constant
	// what is bounded; empty for a key, whose text is that of the configuration.
	what   string
	beyond string // what happens then
}

type unit int

const (
	count unit = iota
	size       // bytes
	span       // time
)

// Reference is docs/limits.md. The folder is the top of the source.
func Reference(top string) (string, error) {
	source := newSource(top)
	keys, err := settings()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(head)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n%s| limit | value | bounds | beyond it |\n|---|---|---|---|\n", s.title, s.text)
		for _, r := range s.bounds {
			var value string
			if k, ok := keys[r.name]; ok {
				value, r.what = k.standard, k.meaning
			} else if value, err = source.value(r.name, r.unit); err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.name, value, r.what, r.beyond)
		}
	}
	return b.String(), nil
}

type setting struct{ standard, meaning string }

var (
	sectionLine = regexp.MustCompile("^## `\\[+([a-z_]+)\\]+`$")
	keyLine     = regexp.MustCompile("^\\| `([a-z_]+)` \\| [^|]* \\| (`[^|]*`|required) \\| (.*) \\|$")
)

// settings are the rows of docs/configuration.md by key.
func settings() (map[string]setting, error) {
	out := map[string]setting{}
	section := ""
	for line := range strings.Lines(config.Reference()) {
		line = strings.TrimSuffix(line, "\n")
		if m := sectionLine.FindStringSubmatch(line); m != nil {
			section = m[1]
		}
		if m := keyLine.FindStringSubmatch(line); m != nil {
			out[section+"."+m[1]] = setting{strings.ReplaceAll(m[2], `"`, ""), m[3]}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the reference of the configuration has no keys")
	}
	return out, nil
}

// source reads constants of our packages without compiling them: what a
// constant needs of other packages are the units of time, and constants of ours.
type source struct {
	top   string
	fset  *token.FileSet
	rooms map[string]*room
}

type room struct {
	pkg    *types.Package
	files  []*ast.File
	values map[ast.Expr]types.TypeAndValue
}

const module = "github.com/comfyume/qmtui/internal/"

func newSource(top string) *source {
	return &source{top: top, fset: token.NewFileSet(), rooms: map[string]*room{}}
}

// Import implements [types.Importer].
func (s *source) Import(path string) (*types.Package, error) {
	if name, ours := strings.CutPrefix(path, module); ours {
		r, err := s.room(name)
		if err != nil {
			return nil, err
		}
		return r.pkg, nil
	}
	p := types.NewPackage(path, path[strings.LastIndex(path, "/")+1:])
	if path == "time" {
		name := types.NewTypeName(token.NoPos, p, "Duration", nil)
		duration := types.NewNamed(name, types.Typ[types.Int64], nil)
		p.Scope().Insert(name)
		for word, d := range map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour} {
			p.Scope().Insert(types.NewConst(token.NoPos, p, word, duration, constant.MakeInt64(int64(d))))
		}
	}
	p.MarkComplete()
	return p, nil
}

func (s *source) room(name string) (*room, error) {
	if r, ok := s.rooms[name]; ok {
		return r, nil
	}
	folder := filepath.Join(s.top, "internal", filepath.FromSlash(name))
	found, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	r := &room{values: map[ast.Expr]types.TypeAndValue{}}
	for _, path := range found {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(s.fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if f.Name.Name != "main" { // generators
			r.files = append(r.files, f)
		}
	}
	if len(r.files) == 0 {
		return nil, fmt.Errorf("there is no package in %s", folder)
	}
	// What is missing of other packages makes errors that say nothing.
	check := types.Config{IgnoreFuncBodies: true, Importer: s, Error: func(error) {}}
	r.pkg, _ = check.Check(module+name, s.fset, r.files, &types.Info{Types: r.values})
	s.rooms[name] = r
	return r, nil
}

// value is a constant in a person's words.
func (s *source) value(name string, u unit) (string, error) {
	where, word, ok := strings.Cut(name, ".")
	if !ok {
		return "", fmt.Errorf("%s is neither a setting nor a constant", name)
	}
	r, err := s.room(where)
	if err != nil {
		return "", err
	}
	v := r.find(word)
	if v == nil || v.Kind() != constant.Int {
		return "", fmt.Errorf("there is no setting and no whole number called %s", name)
	}
	n, _ := constant.Int64Val(v)
	switch u {
	case size:
		return strings.Replace(humanize.IBytes(uint64(n)), ".0 ", " ", 1), nil
	case span:
		return shortly(time.Duration(n)), nil
	}
	return humanize.Comma(n), nil
}

// shortly is a time without the parts that are zero: 1m, 2h.
func shortly(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// find is a constant, or what stands in a field where a variable is made. Nil
// when there is none.
func (r *room) find(word string) constant.Value {
	variable, member, isMember := strings.Cut(word, ".")
	if !isMember {
		c, _ := r.pkg.Scope().Lookup(word).(*types.Const)
		if c == nil {
			return nil
		}
		return c.Val()
	}
	var out constant.Value
	for _, f := range r.files {
		for _, d := range f.Decls {
			g, _ := d.(*ast.GenDecl)
			if g == nil {
				continue
			}
			for _, spec := range g.Specs {
				v, _ := spec.(*ast.ValueSpec)
				if v == nil || len(v.Values) != 1 || v.Names[0].Name != variable {
					continue
				}
				ast.Inspect(v.Values[0], func(n ast.Node) bool {
					if kv, ok := n.(*ast.KeyValueExpr); ok {
						if id, ok := kv.Key.(*ast.Ident); ok && id.Name == member {
							out = r.values[kv.Value].Value
						}
					}
					return true
				})
			}
		}
	}
	return out
}
