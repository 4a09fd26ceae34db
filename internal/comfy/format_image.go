package comfy

import "encoding/binary"

// wholeJPEG walks the segments up to the picture, so that a thumbnail's end mark is not
// taken for the file's, and wants the end mark last.
func wholeJPEG(s *source) Verdict {
	const startOfScan, endOfImage = 0xda, 0xd9
	off := int64(2)
	for range 1 << 12 {
		head := s.bytes(off, 4)
		if head == nil || head[0] != 0xff {
			return Partial
		}
		if head[1] == 0xff { // a fill byte
			off++
			continue
		}
		off += 2 + int64(binary.BigEndian.Uint16(head[2:]))
		if head[1] == startOfScan {
			break
		}
	}
	tail := s.bytes(s.size-2, 2)
	if tail == nil || s.size < off+2 || tail[0] != 0xff || tail[1] != endOfImage {
		return Partial
	}
	return Complete
}

// wholeGIF walks the blocks to the trailer, which has to be the last byte.
func wholeGIF(s *source) Verdict {
	screen := s.bytes(0, 13)
	if screen == nil {
		return Partial
	}
	off := 13 + colours(screen[10])
	for range maxParts {
		head := s.upTo(off, 10)
		switch {
		case len(head) == 0:
			return Partial
		case head[0] == 0x3b:
			if off == s.size-1 {
				return Complete
			}
			return Partial
		case head[0] == 0x21:
			off = s.skipSubBlocks(off + 2)
		case head[0] == 0x2c && len(head) == 10:
			off = s.skipSubBlocks(off + 11 + colours(head[9]))
		default:
			return Partial
		}
	}
	return Partial
}

// colours is the length of the table that a GIF flag byte announces.
func colours(flags byte) int64 {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// skipSubBlocks returns the offset after a chain of sub-blocks, past the end of the
// file when it is cut.
func (s *source) skipSubBlocks(off int64) int64 {
	for range maxParts {
		n := s.bytes(off, 1)
		if n == nil {
			return s.size
		}
		off += 1 + int64(n[0])
		if n[0] == 0 {
			return off
		}
	}
	return s.size
}
