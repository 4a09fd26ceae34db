package main

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "sunset 01 ä 漢字 🌅", "sunset 01 ä 漢字 🌅"},
		{"escape sequence", "a\x1b[2Jb", `a\x1b[2Jb`},
		{"title", "\x1b]0;owned\a", `\x1b]0;owned\x07`},
		{"C1", "a\u009b2Jb", `a\x9b2Jb`},
		{"invalid UTF-8", "a\x9b\xffb", `a\x9b\xffb`},
		{"bidi", "gnp.\u202egpj", `gnp.\u202egpj`},
		{"zero width", "us\u200ber", `us\u200ber`},
		{"lines", "a\nb\rc\td", `a\nb\x0dc d`},
		{"spaces", "a\u00a0b\u3000c", "a b c"},
		{"tag characters", "a\U000e0041", `a\U000e0041`},
		{"separators", "a\u2028b", `a\u2028b`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := printable(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"plain", "a\x1b[2J", "\u202e\xff\x9b", "\U000e0041"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := printable(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q became %q", s, got)
		}
		if again := printable(got); again != got {
			t.Errorf("%q is not stable: %q", got, again)
		}
	})
}

func TestColumns(t *testing.T) {
	c := newColumns("ID", "NAME", "PHASE")
	c.add("1", "日本", "done")
	c.add("22", "a\x1bb", "")
	var b strings.Builder
	if err := c.write(&b); err != nil {
		t.Fatal(err)
	}
	want := "ID  NAME    PHASE\n1   日本    done\n22  a\\x1bb\n"
	if b.String() != want {
		t.Errorf("got\n%s want\n%s", b.String(), want)
	}
}
