package comfy

import "encoding/binary"

// box is one box of an MP4 file: its body lies from body to end.
type box struct {
	kind      string
	body, end int64
	open      bool // size 0: "until the end of the file", as a writer leaves it meanwhile
}

// boxAt reads the header of the box at off inside a parent that ends at end.
func (s *source) boxAt(off, end int64) (box, bool) {
	head := s.bytes(off, 8)
	if head == nil || off+8 > end || !printable(head[4:]) {
		return box{}, false
	}
	b := box{kind: string(head[4:]), body: off + 8}
	size := uint64(binary.BigEndian.Uint32(head))
	switch size {
	case 0:
		b.open, b.end = true, end
		return b, true
	case 1:
		large := s.bytes(off+8, 8)
		if large == nil {
			return box{}, false
		}
		size, b.body = binary.BigEndian.Uint64(large), off+16
	}
	if size < uint64(b.body-off) || size > uint64(end-off) {
		return box{}, false
	}
	b.end = off + int64(size)
	return b, true
}

// walkBoxes visits the boxes from off to end and reports that they sum up exactly.
func (s *source) walkBoxes(off, end int64, visit func(box)) bool {
	for off < end {
		b, ok := s.boxAt(off, end)
		if !ok || !s.part() {
			return false
		}
		visit(b)
		off = b.end
	}
	return off == end
}

// wholeMP4 wants boxes that sum up to the size, a closed mdat and a moov. FFmpeg
// leaves the size of mdat at zero and writes moov last. Fragments have no end but mfra,
// so without one they are Settling. AVIF and HEIC carry meta in place of moov.
func wholeMP4(s *source) Verdict {
	var moov *box
	var data, meta, open bool
	last := ""
	sums := s.walkBoxes(0, s.size, func(b box) {
		last, open = b.kind, open || b.open
		switch b.kind {
		case "mdat":
			data = true
		case "meta":
			meta = true
		case "moov":
			found := b
			moov = &found
		}
	})
	switch {
	case !sums || open || !data:
		return Partial
	case moov == nil && !(meta && isStill(s)):
		return Partial
	case moov != nil && s.hasBox(*moov, "mvex") && last != "mfra":
		return Settling
	}
	return Complete
}

// isStill reports the brands of AVIF and HEIC.
func isStill(s *source) bool {
	switch string(s.bytes(8, 4)) {
	case "avif", "avis", "heic", "heix", "mif1", "msf1":
		return true
	}
	return false
}

func (s *source) hasBox(parent box, kind string) bool {
	_, found := s.child(parent, kind)
	return found
}

func (s *source) child(parent box, kind string) (box, bool) {
	var found box
	s.walkBoxes(parent.body, parent.end, func(b box) {
		if b.kind == kind && found.kind == "" {
			found = b
		}
	})
	return found, found.kind != ""
}

// metadataMP4 reads moov/udta/meta, or moov/meta: names in keys (mdta), values in ilst.
func metadataMP4(s *source, t *tags) {
	meta, ok := findMeta(s)
	if !ok {
		return
	}
	names := s.metaKeys(meta)
	ilst, ok := s.child(meta, "ilst")
	if !ok {
		return
	}
	s.walkItems(ilst, func(number uint32, item box) {
		if data, ok := s.child(item, "data"); ok {
			t.add(metaName(names, number), s.text(data.body+8, data.end))
		}
	})
}

// findMeta returns the meta box past its version, which ISO files have and QuickTime
// files do not.
func findMeta(s *source) (box, bool) {
	moov, ok := s.child(box{end: s.size}, "moov")
	if !ok {
		return box{}, false
	}
	meta, ok := s.child(moov, "meta")
	if udta, has := s.child(moov, "udta"); !ok && has {
		meta, ok = s.child(udta, "meta")
	}
	if probe := s.bytes(meta.body, 8); ok && probe != nil && string(probe[4:]) != "hdlr" {
		meta.body += 4
	}
	return meta, ok
}

// metaKeys returns the names of the mdta keys; the first one has number 1.
func (s *source) metaKeys(meta box) []string {
	keys, ok := s.child(meta, "keys")
	if !ok {
		return nil
	}
	var names []string
	s.walkBoxes(keys.body+8, keys.end, func(b box) {
		if len(names) < 1<<12 {
			names = append(names, s.text(b.body, b.end))
		}
	})
	return names
}

// walkItems visits the items of ilst. Their kind is a number, not text, so that
// boxAt would refuse them.
func (s *source) walkItems(ilst box, visit func(uint32, box)) {
	for off := ilst.body; off+8 <= ilst.end; {
		head := s.bytes(off, 8)
		if head == nil || !s.part() {
			return
		}
		n := int64(binary.BigEndian.Uint32(head))
		if n < 8 || off+n > ilst.end {
			return
		}
		visit(binary.BigEndian.Uint32(head[4:]), box{body: off + 8, end: off + n})
		off += n
	}
}

// metaName resolves the number of an item; without a table of keys it is one of
// iTunes' four-character names, of which only the comment carries JSON.
func metaName(names []string, number uint32) string {
	const comment = 0xa9636d74 // ©cmt, where VHS_VideoCombine writes
	switch {
	case number >= 1 && uint64(number) <= uint64(len(names)):
		return names[number-1]
	case number == comment:
		return "comment"
	}
	return ""
}

// text reads off to end, or nothing when that is out of bounds.
func (s *source) text(off, end int64) string {
	if end < off || end-off > maxMetadata {
		return ""
	}
	return string(s.bytes(off, int(end-off)))
}
