package qmtui_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testWord    = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")
	limitsRow   = regexp.MustCompile(`^TestLimitsRow\d\d`)
	refusalWord = regexp.MustCompile("`([a-z]+(?:_[a-z]+)+)`")
)

// tests finds the names of all tests and fuzz targets.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "dist" || path != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				out[fn.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestThreatsHaveTests: each row of the table of threats names tests that there
// are, and no test of a threat is left out.
func TestThreatsHaveTests(t *testing.T) {
	raw, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(raw), "\n## Threats\n")
	if !ok {
		t.Fatal("SECURITY.md has no part called Threats")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	all, named, rows := tests(t), map[string]bool{}, 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.TrimSpace(cells[0]) == "threat" {
			continue
		}
		rows++
		if len(cells) != 4 {
			t.Errorf("%d cells, want threat, by, what is done, tests: %s", len(cells), line)
			continue
		}
		found := testWord.FindAllStringSubmatch(cells[3], -1)
		if len(found) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, m := range found {
			if named[m[1]] = true; !all[m[1]] {
				t.Errorf("there is no %s", m[1])
			}
		}
	}
	if rows == 0 {
		t.Error("the table has no rows")
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if limitsRow.MatchString(name) && !named[name] {
			t.Errorf("%s stands in no row of SECURITY.md", name)
		}
	}
}

// TestLimitsNameCodesThatThereAre: what docs/limits.md says that one is told
// beyond a limit is what the program can tell.
func TestLimitsNameCodesThatThereAre(t *testing.T) {
	raw, err := os.ReadFile("docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	known, found := codes(t), 0
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimSpace(line), " |"), " | ")
		for _, m := range refusalWord.FindAllStringSubmatch(cells[len(cells)-1], -1) {
			if found++; known[m[1]] == nil {
				t.Errorf("no code %s: %s", m[1], line)
			}
		}
	}
	if found == 0 {
		t.Error("no row names a code")
	}
}
