package comfy

import (
	"path"
	"strings"
)

// Bounds of a search for the nearest choice, in bytes and choices.
const (
	maxNearText = 128
	maxNearList = 5000
)

// nearestChoice is the choice that a person most likely meant: the same path
// written otherwise, the same file in another folder, or a slip of the
// fingers. "" when none is near.
func nearestChoice(value any, choices []any) string {
	text, ok := value.(string)
	if !ok || text == "" || len(text) > maxNearText {
		return ""
	}
	want := sameName(text)
	best, least := "", max(2, len(want)/3)+1
	for _, c := range choices[:min(len(choices), maxNearList)] {
		choice, ok := c.(string)
		if !ok || len(choice) > maxNearText {
			continue
		}
		have := sameName(choice)
		switch {
		case have == want:
			return choice
		case path.Base(have) == path.Base(want) && least > 1:
			best, least = choice, 1
		case abs(len(have)-len(want)) < least:
			if d := editDistance(want, have); d < least {
				best, least = choice, d
			}
		}
	}
	return best
}

// sameName is a name as most people would take it for the same.
func sameName(s string) string { return strings.ToLower(strings.ReplaceAll(s, `\`, "/")) }

func abs(n int) int { return max(n, -n) }

// editDistance counts the bytes to insert, delete or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, row[j]+1, corner+1)
		}
	}
	return row[len(b)]
}
