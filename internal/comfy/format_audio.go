package comfy

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// wholeFLAC walks the metadata blocks and wants a frame after them. Where the stream says
// how many samples it has, its last frame has to be there, with its checksum; a stream that
// says nothing has no end mark and has to settle (RFC 9639).
func wholeFLAC(s *source) Verdict {
	const streamInfo = 0
	var info []byte
	audio, ok := walkFLAC(s, func(kind byte, off, n int64) {
		if kind == streamInfo && n == 34 {
			info = s.bytes(off, int(n))
		}
	})
	sync := s.bytes(audio, 2)
	if !ok || sync == nil || sync[0] != 0xff || sync[1]&0xfc != 0xf8 {
		return Partial
	}
	if info == nil {
		return Settling
	}
	samples := uint64(info[13]&0x0f)<<32 | uint64(binary.BigEndian.Uint32(info[14:]))
	if samples == 0 {
		return Settling
	}
	longest := int64(binary.BigEndian.Uint32(info[6:]) & 0xffffff)
	if longest == 0 {
		longest = 256 << 10 // not told: more than a frame of 8 channels
	}
	n := min(longest, 1<<20, s.size-audio)
	tail := s.bytes(s.size-n, int(n))
	for at := 0; at < len(tail) && s.work <= maxWork; at++ {
		if s.endsFLAC(tail[at:], uint64(binary.BigEndian.Uint16(info)), samples) {
			return Complete
		}
	}
	return Partial
}

// endsFLAC reports that frame is one with its checksums, and the one that ends with the
// last sample. block is the length of every frame but the last one, in samples.
func (s *source) endsFLAC(frame []byte, block, samples uint64) bool {
	if len(frame) < 9 || frame[0] != 0xff || frame[1]&0xfe != 0xf8 {
		return false
	}
	number, n := flacNumber(frame[4:])
	at := 4 + n
	if n == 0 || len(frame) < at+5 {
		return false
	}
	size := uint64(0)
	switch code := frame[2] >> 4; {
	case code == 1:
		size = 192
	case code >= 8:
		size = 256 << (code - 8)
	case code >= 2 && code <= 5:
		size = 576 << (code - 2)
	case code == 6:
		size = uint64(frame[at]) + 1
		at++
	case code == 7:
		size = uint64(binary.BigEndian.Uint16(frame[at:])) + 1
		at += 2
	}
	switch frame[2] & 0x0f { // the rate
	case 12:
		at++
	case 13, 14:
		at += 2
	}
	if frame[1]&1 == 0 { // it counts frames and not samples
		number *= block
	}
	if number+size != samples || len(frame) < at+3 || crc(8, 0x07, frame[:at]) != uint16(frame[at]) {
		return false
	}
	if !s.step(2 * len(frame)) { // made of frames that all seem to be the last one
		return false
	}
	return crc(16, 0x8005, frame[:len(frame)-2]) == binary.BigEndian.Uint16(frame[len(frame)-2:])
}

// flacNumber reads a number of up to 36 bits, written as UTF-8 writes a letter.
func flacNumber(b []byte) (value uint64, n int) {
	ones := bits.LeadingZeros8(^b[0])
	switch {
	case ones == 0:
		return uint64(b[0]), 1
	case ones == 1 || ones > 7 || len(b) < ones:
		return 0, 0
	}
	value = uint64(b[0]) & (0x7f >> ones)
	for _, c := range b[1:ones] {
		value = value<<6 | uint64(c&0x3f)
	}
	return value, ones
}

// crc is the plain checksum of so many bits, not reflected, that starts at 0.
func crc(width int, polynomial uint16, b []byte) uint16 {
	sum, top := uint16(0), uint16(1)<<(width-1)
	for _, c := range b {
		sum ^= uint16(c) << (width - 8)
		for range 8 {
			if sum&top != 0 {
				sum = sum<<1 ^ polynomial
			} else {
				sum <<= 1
			}
		}
	}
	return sum & (top<<1 - 1)
}

// walkFLAC visits the metadata blocks and returns where the audio begins.
func walkFLAC(s *source, visit func(kind byte, off, n int64)) (int64, bool) {
	off := int64(4)
	for range 1 << 10 {
		head := s.bytes(off, 4)
		if head == nil {
			return 0, false
		}
		n := int64(binary.BigEndian.Uint32(head) & 0xffffff)
		visit(head[0]&0x7f, off+4, n)
		off += 4 + n
		if head[0]&0x80 != 0 {
			return off, true
		}
	}
	return 0, false
}

func metadataFLAC(s *source, t *tags) {
	const vorbisComment = 4
	walkFLAC(s, func(kind byte, off, n int64) {
		if kind == vorbisComment {
			t.addComments(s.bytes(off, int(n)))
		}
	})
}

// addComments reads Vorbis comments, which FLAC and Opus share: a vendor, a count, and
// "key=value" texts, each with its length before it in little endian.
func (t *tags) addComments(b []byte) {
	_, b, ok := cutCounted(b)
	if !ok || len(b) < 4 {
		return
	}
	b = b[4:] // the count; the texts end where the bytes do
	for {
		text, rest, ok := cutCounted(b)
		if !ok {
			return
		}
		if key, value, found := strings.Cut(string(text), "="); found {
			t.add(key, value)
		}
		b = rest
	}
}

func cutCounted(b []byte) (text, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if n > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}
