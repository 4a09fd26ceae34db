package comfy

import (
	"bufio"
	"bytes"
	"unicode/utf8"
)

// maxText bounds what is read of a text to judge it, in bytes.
const maxText = 64 << 20

// wholeText judges a format without any end: nothing is missing unless the last letter
// is cut, or bytes read as NUL. ComfyUI writes a text with one call (nodes_text.py,
// ComfyUI 0.33.0), so that it only needs to settle; see OneWrite. A text in another
// encoding can end like a cut letter, so that it is unknown and not partial.
func wholeText(s *source) Verdict {
	tail := s.upTo(max(0, s.size-1024), 1024)
	wide := starts("\xff\xfe", "\xfe\xff")(s.upTo(0, 2)) // UTF-16
	switch {
	case wide:
		return Settling
	case bytes.IndexByte(tail, 0) >= 0 || cutRune(tail):
		return Unknown
	case s.size <= maxText && hasEmptyPage(s):
		return Unknown
	}
	return Settling
}

// cutRune reports text that ends within a letter of UTF-8.
func cutRune(b []byte) bool {
	for n := 1; n <= min(utf8.UTFMax-1, len(b)); n++ {
		if last := b[len(b)-n:]; utf8.RuneStart(last[0]) {
			return !utf8.FullRune(last)
		}
	}
	return false
}

// wholeJSON wants the first object or list to close and nothing but spaces after it.
// What is no JSON, SaveText writes as it is: a text.
func wholeJSON(s *source) Verdict {
	if s.size > maxText {
		return wholeText(s)
	}
	in := s.stream(0, s.size)
	if !closesJSON(in) {
		if opensJSON(s) {
			return Unknown // a part of it: other nodes write JSON in pieces
		}
		return wholeText(s)
	}
	for {
		c, err := in.ReadByte()
		switch {
		case err != nil:
			return Complete
		case c == 0:
			return Unknown
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return wholeText(s)
		}
	}
}

// opensJSON reports a file that begins as an object or a list does.
func opensJSON(s *source) bool {
	head := bytes.TrimLeft(s.upTo(0, 64), "\ufeff \t\r\n")
	return len(head) > 0 && (head[0] == '{' || head[0] == '[')
}

// closesJSON reads up to the end of one object or list; false when it does not end.
// It is no validator: whether braces match brackets does not matter to the end.
func closesJSON(in *bufio.Reader) bool {
	depth, text, escaped := 0, false, false
	for {
		if _, err := in.Peek(1); err != nil {
			return false
		}
		b, _ := in.Peek(in.Buffered())
		for i, c := range b {
			switch {
			case c == 0:
				return false
			case text:
				text, escaped = c != '"' || escaped, c == '\\' && !escaped
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				if depth--; depth <= 0 {
					_, _ = in.Discard(i + 1) // they are there
					return depth == 0
				}
			case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0xef || c == 0xbb || c == 0xbf: // the last three are the byte order mark
			case depth == 0:
				return false
			case c == '"':
				text = true
			}
		}
		_, _ = in.Discard(len(b))
	}
}
