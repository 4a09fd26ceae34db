package qmtui_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// warningRooms are where the codes of warnings and of what befalls jobs come
// from, as prefixes of files. What they say stands on the screen for long, so
// docs/operations.md explains each, and the limits of users; other codes answer a call, once.
var warningRooms = []string{"internal/engine/", "internal/store/", "internal/sdnotify/", "internal/ui/warning.go", "internal/server/queue.go", "internal/server/health.go", "internal/server/limits.go"}

// standing reports that what a file tells is one of these.
func standing(file string) bool {
	return !strings.HasPrefix(file, "internal/engine/ledgertest/") && slices.ContainsFunc(warningRooms, func(room string) bool { return strings.HasPrefix(file, room) })
}

var codeCell = regexp.MustCompile("(?m)^\\| (`[a-z0-9_]+`(?:, `[a-z0-9_]+`)*) \\|.*\\S.*\\|.*\\S.*\\|$")

// TestOperationsExplainEveryWarning holds the tables of docs/operations.md
// against the code: an entry for every warning, and none for what nobody says.
func TestOperationsExplainEveryWarning(t *testing.T) {
	raw, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]int{}
	for _, row := range codeCell.FindAllStringSubmatch(string(raw), -1) {
		for code := range strings.SplitSeq(row[1], ", ") {
			explained[strings.Trim(code, "`")]++
		}
	}
	said := map[string]string{}
	for code, files := range codes(t) {
		for _, file := range files {
			if standing(file) {
				said[code] = file
			}
		}
	}
	if len(said) < 60 {
		t.Fatalf("only %d codes were found in the code: the search is broken", len(said))
	}
	for _, code := range slices.Sorted(maps.Keys(said)) {
		if explained[code] == 0 {
			t.Errorf("docs/operations.md does not explain `%s` (%s): what it means and what to do", code, said[code])
		}
	}
	for _, code := range slices.Sorted(maps.Keys(explained)) {
		if said[code] == "" {
			t.Errorf("docs/operations.md explains `%s`, which nothing says", code)
		}
		if explained[code] > 1 {
			t.Errorf("docs/operations.md explains `%s` %d times", code, explained[code])
		}
	}
}
