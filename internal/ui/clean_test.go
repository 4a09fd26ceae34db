package ui

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                     "plain",
		"日本語 é ñ":                   "日本語 é ñ",
		"a\nb\tc":                   "a b c",
		"\x1b[31mred\x1b[0m":        "�[31mred�[0m",
		"\x9b31m":                   "�31m",
		"bell\x07del\x7f":           "bell�del�",
		"\u0085next":                "�next",
		"gnp.\u202eexe":             "gnp.�exe",
		"\u2066iso\u2069":           "�iso�",
		"zero\u200bwidth\ufeff":     "zero�width�",
		"soft\u00adhyphen":          "soft�hyphen",
		"tag\U000e0041":             "tag�",
		"bad\xff\xfe":               "bad��",
		"nbsp\u00a0x":               "nbsp x",
		"e\u0301":                   "e\u0301",
		"z\u0301\u0301\u0301\u0301": "z\u0301\u0301",
		"\u0301first":               "first",
		"👨\u200d👩":                  "👨👩",
		"❤\ufe0f":                   "❤",
		"🇩🇪":                        "··",
		"hangul\u3164":              "hangul�",
		"private\ue000":             "private�",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "\x1b]8;;x\x07", "\u202e", "日本", "\xff", "e\u0301\u0301\u0301", "👩🏽‍🚀", "\x9b2J"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := Clean(s)
		if !utf8.ValidString(c) || strings.ContainsFunc(c, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r)
		}) {
			t.Errorf("%q is not harmless as %q", s, c)
		}
		if Clean(c) != c {
			t.Errorf("%q changes again: %q", c, Clean(c))
		}
		if a, b := ansi.StringWidth(c), ansi.StringWidthWc(c); a != b && !strings.ContainsFunc(c, unicode.IsMark) && !hasJamo(c) {
			t.Errorf("%q is %d or %d cells wide", c, a, b)
		}
		for _, w := range []int{0, 1, 2, 7} {
			if n := ansi.StringWidthWc(fit(c, w)); n != w {
				t.Errorf("%q in %d cells has %d", c, w, n)
			}
		}
	})
}

// hasJamo: letters of Hangul that join into one; counted one by one they take
// more cells, never less.
func hasJamo(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r >= 0x1100 && r <= 0x11ff || r >= 0xa960 && r <= 0xa97f || r >= 0xd7b0 && r <= 0xd7ff
	})
}
