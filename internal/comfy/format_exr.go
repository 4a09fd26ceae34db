package comfy

import (
	"bytes"
	"encoding/binary"
)

// maxEXRHeader bounds the headers of an EXR in bytes, the prompt and workflow in them
// included. maxEXRChunks is more than the lines of any picture that can be made.
const (
	maxEXRHeader = maxMetadata
	maxEXRChunks = 1 << 15
)

// exr is what the headers of an OpenEXR file say (openexr.com, File Layout).
type exr struct {
	tiled, deep, multi bool
	chunks             int64 // -1 when the header does not tell
	table              int64 // where the table of the chunks' offsets begins
}

// exrLines is how many lines a chunk holds, by compression. The two newest are HTJ2K.
var exrLines = []int64{1, 1, 1, 16, 32, 16, 32, 32, 32, 256, 256, 32}

// wholeEXR wants an offset for every chunk, and the last chunk to end at the end of the
// file. The OpenEXR library fills in the offsets when it closes the file.
func wholeEXR(s *source) Verdict {
	h, ok := readEXR(s, func(_, _ string, _, _ int64) {})
	switch {
	case !ok:
		return Partial
	case h.chunks < 0 || h.chunks > maxEXRChunks:
		return Unknown
	case h.chunks == 0 || h.table+8*h.chunks > s.size:
		return Partial
	}
	in, end := s.stream(h.table, 8*h.chunks), int64(0)
	for range h.chunks {
		var b [8]byte
		if !s.fill(in, b[:]) {
			return Partial
		}
		next, ok := h.chunkEnd(s, binary.LittleEndian.Uint64(b[:]))
		if !ok {
			return Partial
		}
		end = max(end, next)
	}
	if end < s.size {
		return Settling
	}
	return Complete
}

// chunkEnd is where the chunk at an offset ends; false when it is not there yet.
func (h exr) chunkEnd(s *source, at uint64) (int64, bool) {
	if at < uint64(h.table+8*h.chunks) || at >= uint64(s.size) {
		return 0, false
	}
	off := int64(at)
	if h.multi {
		off += 4 // the part
	}
	off += 4 // the line
	if h.tiled {
		off += 12 // the tile has four numbers in place of one
	}
	sizes := 4
	if h.deep {
		sizes = 16 // 8 for the table of samples, 8 for them; a third one is their unpacked size
	}
	b := make([]byte, sizes)
	if n, err := s.r.ReadAt(b, off); n < sizes { // past the window: the chunks are far apart
		s.note(err)
		return 0, false
	}
	end := uint64(off) + 4
	if h.deep {
		end = uint64(off) + 24 + binary.LittleEndian.Uint64(b) + binary.LittleEndian.Uint64(b[8:])
		if binary.LittleEndian.Uint64(b) > uint64(s.size) || binary.LittleEndian.Uint64(b[8:]) > uint64(s.size) {
			return 0, false
		}
	} else {
		end += uint64(binary.LittleEndian.Uint32(b))
	}
	return int64(end), end <= uint64(s.size)
}

// readEXR calls visit with name, kind, offset and length of each attribute, and finds
// what is needed to walk the chunks; false when the headers are cut.
func readEXR(s *source, visit func(name, kind string, off, n int64)) (exr, bool) {
	version := s.bytes(4, 4)
	if version == nil {
		return exr{}, false
	}
	h := exr{tiled: version[1]&0x02 != 0, deep: version[1]&0x08 != 0, multi: version[1]&0x10 != 0}
	off := int64(8)
	for {
		var p exrPart
		empty, ok := true, false
		off, ok = s.exrAttributes(off, func(name, kind string, off, n int64) {
			empty = false
			visit(name, kind, off, n)
			p.read(s, name, off, n)
		})
		if !ok {
			return exr{}, false
		}
		if !empty {
			h.add(p)
		}
		if empty || !h.multi {
			h.table = off
			return h, true
		}
	}
}

// exrAttributes walks one header: name, kind, length and value, up to an empty name.
func (s *source) exrAttributes(off int64, visit func(name, kind string, off, n int64)) (int64, bool) {
	for {
		name, ok := s.exrName(off)
		off += int64(len(name)) + 1
		if !ok || off > maxEXRHeader || !s.part() {
			return 0, false
		}
		if name == "" {
			return off, true
		}
		kind, ok := s.exrName(off)
		off += int64(len(kind)) + 1
		length := s.bytes(off, 4)
		if !ok || length == nil {
			return 0, false
		}
		n := int64(binary.LittleEndian.Uint32(length))
		if off += 4; n > maxEXRHeader || off+n > s.size {
			return 0, false
		}
		visit(name, kind, off, n)
		off += n
	}
}

// exrName reads a text that ends in NUL, of at most 255 bytes.
func (s *source) exrName(off int64) (string, bool) {
	name, _, found := bytes.Cut(s.upTo(off, 256), []byte{0})
	return string(name), found
}

// exrPart is one picture of the file.
type exrPart struct {
	compression int
	window      []byte // of the data: x and y of the first pixel, then of the last
	tiles       []byte // width, height, mode
	count       int64  // of chunks, when the header says it
}

func (p *exrPart) read(s *source, name string, off, n int64) {
	value := s.upTo(off, int(min(n, 16)))
	switch {
	case name == "compression" && len(value) == 1:
		p.compression = int(value[0])
	case name == "dataWindow" && len(value) == 16:
		p.window = value
	case name == "tiles" && len(value) == 9:
		p.tiles = value
	case name == "chunkCount" && len(value) == 4:
		p.count = int64(binary.LittleEndian.Uint32(value))
	}
}

// add counts the chunks of one more part.
func (h *exr) add(p exrPart) {
	n := p.count
	switch {
	case n > 0:
	case p.window == nil:
		n = -1
	case h.tiled && !h.multi:
		n = p.tileCount()
	case p.compression < len(exrLines):
		lines := exrLines[p.compression]
		n = (p.side(4) + lines - 1) / lines
	default:
		n = -1
	}
	if n < 0 || h.chunks < 0 {
		h.chunks = -1
		return
	}
	h.chunks += n
}

// side is the width (0) or height (4) in pixels.
func (p exrPart) side(at int) int64 {
	first, last := int32(binary.LittleEndian.Uint32(p.window[at:])), int32(binary.LittleEndian.Uint32(p.window[at+8:]))
	return max(0, int64(last)-int64(first)+1)
}

// tileCount is -1 for a picture of several levels.
func (p exrPart) tileCount() int64 {
	if p.tiles == nil || p.tiles[8]&0x0f != 0 {
		return -1
	}
	w, h := int64(binary.LittleEndian.Uint32(p.tiles)), int64(binary.LittleEndian.Uint32(p.tiles[4:]))
	if w == 0 || h == 0 {
		return -1
	}
	across, down := (p.side(0)+w-1)/w, (p.side(4)+h-1)/h
	if across > maxEXRChunks || down > maxEXRChunks {
		return -1
	}
	return across * down
}

// metadataEXR reads the attributes of kind string, where SaveImageAdvanced puts the
// prompt and every key of extra_pnginfo.
func metadataEXR(s *source, t *tags) {
	readEXR(s, func(name, kind string, off, n int64) {
		if kind == "string" {
			t.add(name, s.text(off, off+n))
		}
	})
}
