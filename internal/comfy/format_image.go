package comfy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
)

// wholeJPEG walks the segments and the picture's data to the end mark: a thumbnail's
// stands within a segment, and a letter of the data is never taken for one.
func wholeJPEG(s *source) Verdict {
	const startOfScan, endOfImage = 0xda, 0xd9
	in := s.stream(2, s.size-2)
	scanning := false
	for {
		if scanning {
			for { // to the next mark
				_, err := in.ReadSlice(0xff)
				if err == nil {
					break
				}
				if err != bufio.ErrBufferFull {
					return Partial
				}
			}
		} else if c, err := in.ReadByte(); err != nil || c != 0xff {
			return Partial
		}
		mark, err := in.ReadByte()
		for err == nil && mark == 0xff { // fill bytes
			mark, err = in.ReadByte()
		}
		work := partWork
		if scanning {
			work = 1
		}
		switch {
		case err != nil || !s.step(work):
			return Partial
		case mark == 0 || mark >= 0xd0 && mark <= 0xd7: // a letter of the data, or a restart
			continue
		case mark == endOfImage:
			if _, err := in.ReadByte(); err == nil {
				return Settling // something follows
			}
			return Complete
		}
		var length [2]byte
		if _, err := io.ReadFull(in, length[:]); err != nil || !skipBytes(in, int64(binary.BigEndian.Uint16(length[:]))-2) {
			return Partial
		}
		scanning = mark == startOfScan
	}
}

// metadataJPEG reads the EXIF segment, as nodes write it that save WebP too.
func metadataJPEG(s *source, t *tags) {
	off := int64(2)
	for {
		head := s.bytes(off, 4)
		if head == nil || head[0] != 0xff || head[1] == 0xda || !s.part() {
			return
		}
		if head[1] == 0xff {
			off++
			continue
		}
		n := int64(binary.BigEndian.Uint16(head[2:]))
		if exif, found := bytes.CutPrefix(s.upTo(off+4, int(max(0, n-2))), []byte("Exif\x00\x00")); head[1] == 0xe1 && found {
			t.addEXIF(exif)
		}
		off += 2 + n
	}
}

// wholeGIF walks the blocks to the trailer, which is the last byte.
func wholeGIF(s *source) Verdict {
	screen := s.bytes(0, 13)
	if screen == nil {
		return Partial
	}
	off := 13 + colours(screen[10])
	for {
		head := s.upTo(off, 10)
		switch {
		case len(head) == 0 || !s.part():
			return Partial
		case head[0] == 0x3b:
			if off == s.size-1 {
				return Complete
			}
			return Settling // something follows
		case head[0] == 0x21:
			off = s.skipSubBlocks(off + 2)
		case head[0] == 0x2c && len(head) == 10:
			off = s.skipSubBlocks(off + 11 + colours(head[9]))
		default:
			return Partial
		}
	}
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
	for {
		n := s.bytes(off, 1)
		if n == nil || !s.part() {
			return s.size
		}
		off += 1 + int64(n[0])
		if n[0] == 0 {
			return off
		}
	}
}

// wholeBMP compares the length in the header with the file.
func wholeBMP(s *source) Verdict {
	head := s.bytes(0, 14)
	if head == nil {
		return Partial
	}
	switch size := int64(binary.LittleEndian.Uint32(head[2:])); {
	case size > s.size:
		return Partial
	case size < s.size: // also 0, which some writers leave there
		return Settling
	}
	return Complete
}
