package job

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Path is a slash-separated path of a foreign file, byte for byte as the file
// system has it: it may hold anything but NUL. As text (and so in JSON) what is
// not plain printable UTF-8 is percent-encoded, so that no byte is lost.
type Path string

// Tagged reports whether the path lies below the folder that holds the attempts'
// own folders, qm/PROMPT_ID/NODE/...
func (p Path) Tagged() bool { return strings.HasPrefix(string(p), "qm/") }

// MarshalText percent-encodes '%', control characters and invalid UTF-8.
func (p Path) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String is the text form, harmless on a terminal.
func (p Path) String() string {
	var b strings.Builder
	for i := 0; i < len(p); {
		r, n := utf8.DecodeRuneInString(string(p[i:]))
		if (r == utf8.RuneError && n == 1) || r == '%' || !unicode.IsPrint(r) {
			for _, c := range []byte(p[i : i+n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		} else {
			b.WriteString(string(p[i : i+n]))
		}
		i += n
	}
	return b.String()
}

// UnmarshalText reads the text form.
func (p *Path) UnmarshalText(b []byte) error {
	s, err := url.PathUnescape(string(b))
	if err != nil {
		return fmt.Errorf("read path: %w", err)
	}
	*p = Path(s)
	return nil
}
