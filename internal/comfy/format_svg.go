package comfy

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"html"
	"io"
	"strings"
)

// maxSVG bounds what is read of an SVG to judge it, in bytes.
const maxSVG = 64 << 20

// wholeSVG follows the tags until every <svg> is closed: a nested </svg> ends nothing,
// nor does one in a text. What is no clean XML falls back to the last tag and has to
// settle.
func wholeSVG(s *source) Verdict {
	if s.size > maxSVG {
		return closesSVG(s)
	}
	in := markup{s.stream(0, s.size)}
	depth, root := 0, ""
	for {
		kind, name := in.next()
		if !s.step(tagWork) {
			return Unknown
		}
		switch kind {
		case markupEnd:
			return closedRoot(root, depth)
		case markupCut:
			return Partial
		case markupBroken:
			return closesSVG(s)
		case markupOpen, markupEmpty:
			root = cmp.Or(root, name)
		}
		if name == "svg" && kind == markupOpen {
			depth++
		} else if name == "svg" && kind == markupClose {
			depth--
		}
	}
}

// tagWork is what one tag costs, see [source.step].
const tagWork = 4

func closedRoot(root string, depth int) Verdict {
	switch {
	case root == "" || depth != 0:
		return Partial
	case root != "svg":
		return Unknown // some other XML
	}
	return Complete
}

// closesSVG looks at the last kilobyte only.
func closesSVG(s *source) Verdict {
	tail := s.upTo(max(0, s.size-1024), 1024)
	tail = bytes.TrimRight(tail, " \t\r\n")
	if bytes.HasSuffix(tail, []byte("</svg>")) && bytes.IndexByte(tail, 0) < 0 {
		return Settling
	}
	return Partial
}

// metadataSVG reads the JSON object inside <metadata>, where ComfyUI puts one CDATA.
func metadataSVG(s *source, t *tags) {
	if s.size > maxMetadata {
		return
	}
	in := markup{s.stream(0, s.size)}
	for {
		switch kind, name := in.next(); {
		case kind == markupEnd || kind == markupCut || kind == markupBroken || !s.step(tagWork):
			return
		case kind == markupOpen && name == "metadata":
			rest, _ := io.ReadAll(in.in) // its failure is noted
			_ = t.addObject(json.NewDecoder(bytes.NewReader(elementText(rest))))
			return
		}
	}
}

// elementText is the text up to the first end tag.
func elementText(b []byte) (text []byte) {
	for {
		plain, rest, found := bytes.Cut(b, []byte("<"))
		text = append(text, html.UnescapeString(string(plain))...)
		switch {
		case !found || bytes.HasPrefix(rest, []byte("/")):
			return text
		case bytes.HasPrefix(rest, []byte(cdataStart)):
			plain, b, _ = bytes.Cut(rest[len(cdataStart):], []byte("]]>"))
			text = append(text, plain...)
		case bytes.HasPrefix(rest, []byte("!--")):
			_, b, _ = bytes.Cut(rest, []byte("-->"))
		default:
			_, b, _ = bytes.Cut(rest, []byte(">"))
		}
	}
}

// markup reads the tags of XML in one pass: encoding/xml takes minutes for what is made
// to cost it much. It knows neither entities nor whether tags match.
type markup struct{ in *bufio.Reader }

type markupKind int

const (
	markupEnd    markupKind = iota // of the file, outside of any tag
	markupCut                      // the file ends within a tag
	markupBroken                   // this is no XML
	markupOpen
	markupClose
	markupEmpty // <name/>
)

const cdataStart = "![CDATA["

// next skips to the next tag of an element; name is without its prefix.
func (m markup) next() (kind markupKind, name string) {
	for {
		switch clean, err := m.skip('<'); {
		case !clean:
			return markupBroken, ""
		case err != nil:
			return markupEnd, ""
		}
		c, err := m.in.ReadByte()
		switch {
		case err != nil:
			return markupCut, ""
		case c == '?':
			if !m.skipTo("?>") {
				return markupCut, ""
			}
		case c == '!':
			if !m.skipDeclaration() {
				return markupCut, ""
			}
		case c == '/':
			return m.tag(markupClose)
		default:
			_ = m.in.UnreadByte() // just read
			return m.tag(markupOpen)
		}
	}
}

// skip reads up to and with a byte; clean says that no NUL was on the way.
func (m markup) skip(to byte) (clean bool, err error) {
	for clean = true; ; {
		b, err := m.in.ReadSlice(to)
		clean = clean && bytes.IndexByte(b, 0) < 0
		if err != bufio.ErrBufferFull {
			return clean, err
		}
	}
}

// skipTo reads up to and with a text that ends in '>'; false at the end of the file.
func (m markup) skipTo(end string) bool {
	var last []byte
	for {
		b, err := m.in.ReadSlice('>')
		last = append(last, b[max(0, len(b)-len(end)):]...)
		last = last[max(0, len(last)-len(end)):]
		switch {
		case err == nil && string(last) == end:
			return true
		case err != nil && err != bufio.ErrBufferFull:
			return false
		}
	}
}

// skipDeclaration reads what follows "<!": a comment, a text as it stands, or a document
// type with declarations in it.
func (m markup) skipDeclaration() bool {
	for depth := 1; depth > 0; {
		if ahead, _ := m.in.Peek(len(cdataStart) - 1); bytes.HasPrefix(ahead, []byte("--")) {
			_, _ = m.in.Discard(2)
			if !m.skipTo("-->") {
				return false
			}
			depth--
			continue
		} else if string(ahead) == cdataStart[1:] {
			return m.skipTo("]]>")
		}
		for more := true; more; {
			c, err := m.in.ReadByte()
			switch {
			case err != nil:
				return false
			case c == '"' || c == '\'':
				if _, err := m.skip(c); err != nil {
					return false
				}
			case c == '>':
				depth--
				more = depth > 0
			case c == '<':
				depth++
				if next, _ := m.in.Peek(1); string(next) == "!" {
					_, _ = m.in.Discard(1)
					more = false // it may be a comment
				}
			}
		}
	}
	return true
}

// tag reads a name and the attributes after it.
func (m markup) tag(kind markupKind) (markupKind, string) {
	const longest = 256
	name := make([]byte, 0, 16)
	for {
		c, err := m.in.ReadByte()
		switch {
		case err != nil:
			return markupCut, ""
		case c == 0 || len(name) == longest:
			return markupBroken, ""
		case strings.IndexByte(" \t\r\n/>=\"'<", c) < 0:
			name = append(name, c)
			continue
		case len(name) == 0:
			return markupBroken, ""
		}
		_ = m.in.UnreadByte() // just read
		break
	}
	if first := name[0]; first < 'A' || first > 'Z' && first < 'a' && first != '_' || first > 'z' && first < 0x80 {
		return markupBroken, ""
	}
	for before := byte(0); ; {
		c, err := m.in.ReadByte()
		switch {
		case err != nil:
			return markupCut, ""
		case c == 0 || c == '<':
			return markupBroken, ""
		case c == '>':
			if before == '/' && kind == markupOpen {
				kind = markupEmpty
			}
			local := name[bytes.IndexByte(name, ':')+1:]
			if string(local) == "svg" {
				return kind, "svg" // which costs no memory
			}
			return kind, string(local)
		case c == '"' || c == '\'':
			switch clean, err := m.skip(c); {
			case !clean:
				return markupBroken, ""
			case err != nil:
				return markupCut, ""
			}
		}
		before = c
	}
}
