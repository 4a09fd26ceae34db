package comfy

import (
	"bytes"
	"encoding/binary"
)

// oggPage is one page. serial names the stream it belongs to.
type oggPage struct {
	flags   byte
	serial  uint32
	lengths []byte // of the packets' segments
	body    []byte
}

const (
	oggBegin = 2
	oggEnd   = 4
)

// wholeOgg walks every page with its checksum, a hole of NUL bytes included, and wants
// the end flag on each stream that began.
func wholeOgg(s *source) Verdict {
	open := map[uint32]bool{}
	ends := walkOgg(s, func(p oggPage) bool {
		if p.flags&oggBegin != 0 && len(open) < 64 {
			open[p.serial] = true
		}
		if p.flags&oggEnd != 0 {
			delete(open, p.serial)
		}
		return true
	})
	if ends && len(open) == 0 {
		return Complete
	}
	return Partial
}

// walkOgg visits the pages while visit wants more and reports that they were all
// sound up to the end of the file.
func walkOgg(s *source, visit func(oggPage) bool) bool {
	off := int64(0)
	for off < s.size {
		p, n := s.oggPageAt(off)
		if n == 0 || !s.part() || !visit(p) {
			return false
		}
		off += n
	}
	return true
}

// oggPageAt reads a page of at most 65,307 bytes; n is zero when it is not sound.
func (s *source) oggPageAt(off int64) (p oggPage, n int64) {
	head := bytes.Clone(s.bytes(off, 27)) // it is written to
	if head == nil || string(head[:4]) != "OggS" {
		return p, 0
	}
	lengths := s.bytes(off+27, int(head[26]))
	size := 0
	for _, l := range lengths {
		size += int(l)
	}
	body := s.bytes(off+27+int64(len(lengths)), size)
	if lengths == nil || body == nil {
		return p, 0
	}
	want := binary.LittleEndian.Uint32(head[22:])
	clear(head[22:26])
	if oggSum(oggSum(oggSum(0, head), lengths), body) != want {
		return p, 0
	}
	p = oggPage{head[5], binary.LittleEndian.Uint32(head[14:]), lengths, body}
	return p, int64(27 + len(lengths) + size)
}

// oggTable serves the CRC of Ogg (RFC 3533): polynomial 0x04c11db7, not reflected, so
// that hash/crc32 cannot compute it.
var oggTable = func() (table [256]uint32) {
	for i := range table {
		r := uint32(i) << 24
		for range 8 {
			if r&0x80000000 != 0 {
				r = r<<1 ^ 0x04c11db7
			} else {
				r <<= 1
			}
		}
		table[i] = r
	}
	return table
}()

func oggSum(sum uint32, b []byte) uint32 {
	for _, c := range b {
		sum = sum<<8 ^ oggTable[byte(sum>>24)^c]
	}
	return sum
}

// metadataOgg reads the comment packet of an Opus or Vorbis stream, which may span
// pages.
func metadataOgg(s *source, t *tags) {
	var packet []byte
	walkOgg(s, func(p oggPage) bool {
		if p.flags&oggBegin != 0 {
			return true
		}
		done := false
		packet, done = p.appendPacket(packet)
		return !done && len(packet) <= maxMetadata
	})
	for _, magic := range []string{"OpusTags", "\x03vorbis"} {
		if rest, found := bytes.CutPrefix(packet, []byte(magic)); found {
			t.addComments(rest)
		}
	}
}

// appendPacket adds the page's first packet, or the rest of it; a segment shorter
// than 255 ends it.
func (p oggPage) appendPacket(packet []byte) (whole []byte, done bool) {
	n := 0
	for _, l := range p.lengths {
		n += int(l)
		if l < 255 {
			done = true
			break
		}
	}
	return append(packet, p.body[:n]...), done
}
