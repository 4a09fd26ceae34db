package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable makes foreign text harmless on a terminal: what would move the
// cursor, colour, reorder or hide (control characters, escape sequences, C1,
// bidirectional marks, zero width, invalid UTF-8) is written out as an escape.
// The result is one line.
func printable(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		b.WriteString(shown(r, s[i:i+n]))
		i += n
	}
	return b.String()
}

// shown is one character as printable writes it; raw is how it stood there.
func shown(r rune, raw string) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0])
	case r == '\t', unicode.Is(unicode.Zs, r):
		return " "
	case r == '\n':
		return `\n`
	case unicode.IsPrint(r):
		return raw
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// shorten cuts text to at most n characters, the last of them an ellipsis.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
