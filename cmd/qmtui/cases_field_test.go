package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testNames = regexp.MustCompile(`\bTest[A-Z]\w+`)
	testFuncs = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// docs/field-cases.md has a row for each of the sixteen cases, each row names
// a test of that number, and every test it names exists.
func TestFieldCasesNameTheirTests(t *testing.T) {
	doc, err := os.ReadFile("../../docs/field-cases.md")
	check(t, err)
	exists := map[string]bool{}
	files, err := filepath.Glob("*_test.go")
	check(t, err)
	for _, name := range files {
		source, err := os.ReadFile(name)
		check(t, err)
		for _, m := range testFuncs.FindAllSubmatch(source, -1) {
			exists[string(m[1])] = true
		}
	}
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
}

// namedTests lists the tests a text names, less what is only a pattern for
// go test -run.
func namedTests(doc string) []string {
	_, doc, _ = strings.Cut(doc, "|---|")
	return testNames.FindAllString(doc, -1)
}
