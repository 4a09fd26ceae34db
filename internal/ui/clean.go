package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks one character may carry: names in
// decomposed form need one or two, a stack of fifty paints over its neighbours.
const maxMarks = 2

// Clean makes a string from outside harmless on a terminal: one line, no
// control or escape character (C0, DEL, C1), nothing that turns the direction
// of writing or is invisible, only valid UTF-8. What was taken out shows as
// "�"; line ends and tabs become a blank. A clean string is returned as it is.
func Clean(s string) string {
	if printableASCII(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	marks := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if unicode.In(r, unicode.Mn, unicode.Me) {
			if marks++; marks > maxMarks || b.Len() == 0 {
				continue
			}
		} else {
			marks = 0
		}
		if r = harmless(r, n); r >= 0 {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// harmless is what stands for a rune that took n bytes; -1 for nothing.
func harmless(r rune, n int) rune {
	switch {
	case r == '\n', r == '\t', r == '\r', r == '\u2028', r == '\u2029', r == '\u00a0':
		return ' '
	case r == utf8.RuneError && n == 1, unicode.IsControl(r):
		return utf8.RuneError
	case r >= 0xfe00 && r <= 0xfe0f, r == 0x200d, r >= 0xe0100 && r <= 0xe01ef:
		return -1 // emoji and variant selectors change the width of what is before them
	case r >= 0x1f1e6 && r <= 0x1f1ff, r >= 0x1f3fb && r <= 0x1f3ff:
		return '·' // halves of flags and skin tones: terminals differ on their width
	case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r), unicode.Is(unicode.Cs, r), invisible(r):
		return utf8.RuneError
	case !unicode.IsPrint(r) && !unicode.IsSpace(r) && !unicode.IsMark(r):
		return utf8.RuneError
	case unicode.IsSpace(r):
		return ' '
	}
	return r
}

// invisible reports letters that show nothing: fillers of Hangul and Braille's blank.
func invisible(r rune) bool {
	switch r {
	case 0x115f, 0x1160, 0x3164, 0xffa0, 0x2800, 0x034f, 0x17b4, 0x17b5, 0x180b, 0x180c, 0x180d, 0x180f:
		return true
	}
	return false
}

// CleanLines is [Clean] for text of several lines: line ends stay.
func CleanLines(s string) []string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, l := range lines {
		lines[i] = Clean(strings.ReplaceAll(l, "\t", "    "))
	}
	return lines
}
