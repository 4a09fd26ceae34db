package comfy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
)

// maxSVG bounds what is read of an SVG to judge it, in bytes.
const maxSVG = 64 << 20

// wholeSVG follows the elements until every <svg> is closed: a nested </svg> ends nothing,
// nor does one in a text. What is no clean XML falls back to the last tag and has to
// settle.
func wholeSVG(s *source) Verdict {
	if s.size > maxSVG {
		return closesSVG(s)
	}
	dec := svgDecoder(s)
	depth, root := 0, ""
	for {
		token, err := dec.RawToken()
		switch {
		case !s.part():
			return Unknown
		case errors.Is(err, io.EOF):
			return closedRoot(root, depth)
		case err != nil && dec.InputOffset() >= s.size:
			return Partial
		case err != nil:
			return closesSVG(s)
		}
		switch e := token.(type) {
		case xml.StartElement:
			root = cmp.Or(root, e.Name.Local)
			depth += isRoot(e.Name)
		case xml.EndElement:
			depth -= isRoot(e.Name)
		}
	}
}

func isRoot(name xml.Name) int {
	if name.Local == "svg" {
		return 1
	}
	return 0
}

func svgDecoder(s *source) *xml.Decoder {
	dec := xml.NewDecoder(s.stream(0, s.size))
	dec.Strict = false
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	return dec
}

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
	dec := svgDecoder(s)
	var text []byte
	inside := false
	for {
		token, err := dec.RawToken()
		if err != nil || !s.part() {
			return
		}
		switch e := token.(type) {
		case xml.StartElement:
			inside = inside || e.Name.Local == "metadata"
		case xml.CharData:
			if inside {
				text = append(text, e...)
			}
		case xml.EndElement:
			if inside {
				_ = t.addObject(json.NewDecoder(bytes.NewReader(text)))
				return
			}
		}
	}
}
