package ui

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/colorprofile"
)

// Every pane stands on a screen that is held.
func TestEveryPaneHasAGoldenScreen(t *testing.T) {
	shown := map[scope]bool{}
	var all []scope
	for _, s := range scenes {
		x := attached(t, fixture(), 120, 32, s.opts, colorprofile.TrueColor)
		s.go_(x)
		shown[x.m.here()] = true
		for _, p := range x.m.panes {
			all = append(all, p.scope())
		}
	}
	for _, p := range append(all, inJob) {
		if !shown[p] {
			t.Fatalf("no golden screen shows %s: add a scene", p)
		}
	}
}

// Every question that the panel can put, which is every dialog, stands on
// golden screens of every size. Questions are found in the source.
func TestEveryQuestionHasGoldenScreens(t *testing.T) {
	questions := questionsInSource(t)
	if len(questions) < 15 || !slices.Contains(questions, "Whose file is this?") || !slices.Contains(questions, "Cancel ") {
		t.Fatalf("the search found %q", questions)
	}
	for _, size := range sizes {
		name := strconv.Itoa(size[0]) + "x" + strconv.Itoa(size[1]) + "-nocolor.txt"
		var screens strings.Builder
		for _, f := range goldenFiles(t) {
			if strings.HasSuffix(f, name) {
				b, err := os.ReadFile(filepath.Join("testdata", "golden", f))
				if err != nil {
					t.Fatal(err)
				}
				screens.Write(b)
			}
		}
		for _, q := range questions {
			if !strings.Contains(screens.String(), "─ "+q) {
				t.Errorf("no golden screen of %dx%d asks %q: add a scene", size[0], size[1], q)
			}
		}
	}
}

// A golden screen that nothing draws any more would be held for nothing.
func TestNoGoldenScreenIsLeftOver(t *testing.T) {
	for _, f := range goldenFiles(t) {
		if !slices.ContainsFunc(scenes, func(s scene) bool {
			return regexp.MustCompile(`^` + regexp.QuoteMeta(s.name) + `-\d+x\d+-(no)?colou?r\.txt$`).MatchString(f)
		}) {
			t.Errorf("testdata/golden/%s belongs to no scene: delete it", f)
		}
	}
}

func goldenFiles(t *testing.T) (names []string) {
	t.Helper()
	all, err := os.ReadDir(filepath.Join("testdata", "golden"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		names = append(names, f.Name())
	}
	return names
}

// questionsInSource are the beginnings of texts that end with a question mark.
func questionsInSource(t *testing.T) (found []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			parts := texts(e)
			if len(parts) == 0 || !strings.HasSuffix(parts[len(parts)-1], "?") || parts[len(parts)-1] == "?" && len(parts) == 1 {
				return true
			}
			if q, _, _ := strings.Cut(parts[0], "%"); q != "" {
				found = append(found, q)
			}
			return false
		})
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// texts are the literal parts of a text that is put together, in order.
func texts(e ast.Expr) []string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return []string{s}
		}
	case *ast.BinaryExpr:
		return append(texts(e.X), texts(e.Y)...)
	}
	return nil
}
