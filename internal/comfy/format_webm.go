package comfy

import (
	"math/bits"
	"strings"
)

// Identifiers of Matroska elements (RFC 9559).
const (
	ebmlSegment   = 0x18538067
	ebmlTags      = 0x1254C367
	ebmlTag       = 0x7373
	ebmlSimpleTag = 0x67C8
	ebmlTagName   = 0x45A3
	ebmlTagString = 0x4487
)

// element is one EBML element. Its body lies from body to end.
type element struct {
	id        uint32
	body, end int64
	open      bool // length unknown: the writer has not come back to fill it in
}

// elementAt reads the element at off inside a parent that ends at end.
func (s *source) elementAt(off, end int64) (element, bool) {
	head := s.upTo(off, 12)
	id, n := vint(head, 4)
	if n == 0 {
		return element{}, false
	}
	length, m := vint(head[n:], 8)
	if m == 0 {
		return element{}, false
	}
	e := element{id: uint32(id), body: off + int64(n+m)}
	marker := uint64(1) << (7 * m)
	if length &^= marker; length == marker-1 {
		e.open, e.end = true, end
		return e, e.body <= end
	}
	if e.body > end || length > uint64(end-e.body) {
		return element{}, false
	}
	e.end = e.body + int64(length)
	return e, true
}

// vint reads a number of variable length with its marker bit, and how many bytes it
// took; zero bytes when there is none.
func vint(b []byte, longest int) (value uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = bits.LeadingZeros8(b[0]) + 1
	if n > longest || n > len(b) {
		return 0, 0
	}
	for _, c := range b[:n] {
		value = value<<8 | uint64(c)
	}
	return value, n
}

// walkElements visits the elements from off to end and reports that they sum up.
func (s *source) walkElements(off, end int64, visit func(element)) bool {
	for off < end {
		e, ok := s.elementAt(off, end)
		if !ok || !s.part() {
			return false
		}
		visit(e)
		off = e.end
	}
	return off == end
}

// segment finds the Segment after the EBML header.
func (s *source) segment() (element, bool) {
	header, ok := s.elementAt(0, s.size)
	if !ok || header.open {
		return element{}, false
	}
	e, ok := s.elementAt(header.end, s.size)
	return e, ok && e.id == ebmlSegment
}

// wholeWebM wants a Segment of known length that ends at the end of the file, and
// children that sum up to it. SaveWEBM shows 0 bytes for seconds and then everything
// within 10 ms, with the length filled in last (transcripts 08-partial-writes).
func wholeWebM(s *source) Verdict {
	segment, ok := s.segment()
	if !ok || segment.open || segment.end != s.size {
		return Partial
	}
	open := false
	if !s.walkElements(segment.body, segment.end, func(e element) { open = open || e.open }) {
		return Partial
	}
	if open {
		return Settling
	}
	return Complete
}

// metadataWebM reads Tags/Tag/SimpleTag. FFmpeg upper-cases the names on the way in.
func metadataWebM(s *source, t *tags) {
	segment, ok := s.segment()
	if !ok {
		return
	}
	s.walkElements(segment.body, segment.end, func(e element) {
		if e.id != ebmlTags {
			return
		}
		s.walkElements(e.body, e.end, func(e element) {
			if e.id == ebmlTag {
				s.walkElements(e.body, e.end, func(e element) { s.simpleTag(e, t) })
			}
		})
	})
}

func (s *source) simpleTag(e element, t *tags) {
	if e.id != ebmlSimpleTag {
		return
	}
	var name, value string
	s.walkElements(e.body, e.end, func(e element) {
		switch e.id {
		case ebmlTagName:
			name = s.text(e.body, min(e.end, e.body+1<<10))
		case ebmlTagString:
			value = s.text(e.body, e.end)
		}
	})
	t.add(strings.ToLower(name), strings.TrimRight(value, "\x00"))
}
