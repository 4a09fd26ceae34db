package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testNames    = regexp.MustCompile(`\bTest[A-Z]\w+`)
	saveNodeRows = regexp.MustCompile(`(?m)^\| S(\d+) \|.*$`)
	testFuncs    = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// docs/field-cases.md has a row for each of the sixteen cases, each row names
// a test of that number, and every test it names exists. Rows of save nodes name
// tests of other packages too.
func TestFieldCasesNameTheirTests(t *testing.T) {
	doc, err := os.ReadFile("../../docs/field-cases.md")
	check(t, err)
	exists := map[string]bool{}
	check(t, filepath.WalkDir("../..", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		source, err := os.ReadFile(name)
		for _, m := range testFuncs.FindAllSubmatch(source, -1) {
			exists[string(m[1])] = true
		}
		return err
	}))
	for _, name := range namedTests(string(doc)) {
		if !exists[name] {
			t.Errorf("the document names %s, which does not exist", name)
		}
	}
	for n := 1; n <= 16; n++ {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| %d \|.*$`, n)).FindString(string(doc))
		if !strings.Contains(row, fmt.Sprintf("`TestField%02d", n)) {
			t.Errorf("case %d has no row with its test: %q", n, row)
		}
	}
	for _, m := range saveNodeRows.FindAllStringSubmatch(string(doc), -1) {
		if !strings.Contains(m[0], "`TestRow"+fmt.Sprintf("%02s", m[1])) {
			t.Errorf("case S%s names no test of that number", m[1])
		}
	}
}

// namedTests lists the tests a text names, less what is only a pattern for
// go test -run.
func namedTests(doc string) []string {
	_, doc, _ = strings.Cut(doc, "|---|")
	return testNames.FindAllString(doc, -1)
}
