package comfy

import "encoding/binary"

// tiff is a TIFF of either size: offsets of 4 bytes, or 8 in BigTIFF.
type tiff struct {
	s     *source
	order binary.ByteOrder
	big   bool
	end   int64 // the furthest byte that anything points to
	cut   bool  // something points behind the file
}

// maxTIFFValues bounds what is read of one list of offsets: a picture has one for each
// strip or tile.
const maxTIFFValues = 1 << 16

// wholeTIFF wants everything that the directories point to: values, strips and tiles.
// The library writes the offset of the first directory last.
func wholeTIFF(s *source) Verdict {
	head := s.bytes(0, 16)
	if head == nil {
		return Partial
	}
	t := &tiff{s: s, order: binary.BigEndian}
	if head[0] == 'I' {
		t.order = binary.LittleEndian
	}
	t.big = t.order.Uint16(head[2:]) == 43
	next := t.offset(head[4:])
	if t.big {
		next = t.offset(head[8:])
	}
	if next == 0 {
		return Partial
	}
	for next != 0 && !t.cut {
		next = t.directory(next)
	}
	switch {
	case t.cut:
		return Partial
	case t.end < s.size-1: // a padding byte may follow
		return Settling
	}
	return Complete
}

// offset reads a number as wide as offsets are; one that cannot be is -1.
func (t *tiff) offset(b []byte) int64 {
	if !t.big {
		return int64(t.order.Uint32(b))
	}
	if v := t.order.Uint64(b); v < 1<<62 {
		return int64(v)
	}
	return -1
}

// reaches notes that n bytes at off belong to the file.
func (t *tiff) reaches(off, n int64) {
	if off < 0 || n < 0 || off > t.s.size || n > t.s.size-off {
		t.cut = true
		return
	}
	t.end = max(t.end, off+n)
}

// bytes reads n bytes at off; nil, and cut, when they are not there.
func (t *tiff) bytes(off int64, n int) []byte {
	t.reaches(off, int64(n))
	if t.cut {
		return nil
	}
	b := t.s.bytes(off, n)
	t.cut = b == nil
	return b
}

// directory reads one and returns where the next is, 0 after the last.
func (t *tiff) directory(off int64) int64 {
	width, entry, counter := 4, 12, 2
	if t.big {
		width, entry, counter = 8, 20, 8
	}
	b := t.bytes(off, counter)
	if b == nil {
		return 0
	}
	count := int64(t.order.Uint16(b))
	if t.big {
		count = t.offset(b)
	}
	if count < 0 || count > 1<<16 || !t.s.part() { // one may lead to itself
		t.cut = true
		return 0
	}
	lists := map[uint16][]int64{}
	for i := range count {
		b := t.bytes(off+int64(counter)+i*int64(entry), entry)
		if b == nil || !t.s.part() {
			t.cut = true
			return 0
		}
		t.entry(b, width, lists)
	}
	// Strips, tiles, and the data of old JPEG: offsets and lengths, pair by pair.
	for _, pair := range [][2]uint16{{273, 279}, {324, 325}, {513, 514}} {
		at, n := lists[pair[0]], lists[pair[1]]
		for i := range min(len(at), len(n)) {
			t.reaches(at[i], n[i])
		}
	}
	next := t.bytes(off+int64(counter)+count*int64(entry), width)
	if next == nil {
		return 0
	}
	return t.offset(next)
}

// entry notes where a value is, and keeps those of the tags that point further.
func (t *tiff) entry(b []byte, width int, lists map[uint16][]int64) {
	sizes := []int64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8}
	tag, kind := t.order.Uint16(b), int(t.order.Uint16(b[2:]))
	count := t.offset(b[4:])
	value := b[4+width:]
	if kind >= len(sizes) || count < 0 || count > t.s.size {
		t.cut = t.cut || count > t.s.size
		return
	}
	size := sizes[kind] * count
	at := int64(-1)
	if size > int64(width) {
		at = t.offset(value)
		t.reaches(at, size)
	}
	switch tag {
	case 273, 279, 324, 325, 513, 514:
	default:
		return
	}
	if count > maxTIFFValues || sizes[kind] < 2 || t.cut {
		return
	}
	if at >= 0 {
		value = t.bytes(at, int(size))
	}
	for i := range count {
		if int64(len(value)) < (i+1)*sizes[kind] || !t.s.part() {
			return
		}
		switch v := value[i*sizes[kind]:]; sizes[kind] {
		case 2:
			lists[tag] = append(lists[tag], int64(t.order.Uint16(v)))
		case 4:
			lists[tag] = append(lists[tag], int64(t.order.Uint32(v)))
		case 8:
			lists[tag] = append(lists[tag], int64(min(t.order.Uint64(v), 1<<62)))
		}
	}
}
