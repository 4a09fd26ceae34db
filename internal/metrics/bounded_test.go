package metrics

import (
	"fmt"
	"strings"
	"testing"
)

func TestBounded(t *testing.T) {
	b := newBounded([]string{"known", "with-dash"}, 2)
	for _, c := range [][2]string{
		{"known", "known"}, {"", other}, {"Bad word", other}, {strings.Repeat("x", 60), other}, {"a\xff", other},
		{"first", "first"}, {"second", "second"}, {"third", other}, {"first", "first"}, {"with-dash", "with-dash"},
	} {
		if got := b.label(c[0]); got != c[1] {
			t.Errorf("%q became %q, want %q", c[0], got, c[1])
		}
	}
}

// TestAlertsKeepTheirCodes: however many codes workers make up, those that
// alerts wait for keep their names.
func TestAlertsKeepTheirCodes(t *testing.T) {
	b := newBounded(ownCodes(), maxForeignCodes)
	for i := range 100 {
		b.label(fmt.Sprintf("code_%d", i))
	}
	for _, own := range [][]string{deadlineCodes, copyCodes, inputCodes, warningCodes} {
		for _, code := range own {
			if got := b.label(code); got != code {
				t.Errorf("%s became %s", code, got)
			}
		}
	}
}

func TestBoundHolds(t *testing.T) {
	b, seen := newBounded(ownCodes(), maxForeignCodes), map[string]bool{}
	for i := range 1000 {
		seen[b.label(fmt.Sprintf("code_%d", i))] = true
	}
	if len(seen) != maxForeignCodes+1 {
		t.Errorf("%d labels", len(seen))
	}
}
