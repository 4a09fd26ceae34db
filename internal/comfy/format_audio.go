package comfy

import (
	"encoding/binary"
	"strings"
)

// wholeFLAC walks the metadata blocks and wants a frame after them. The stream has no
// end mark; SaveAudio writes it at once, so that it only needs to settle.
func wholeFLAC(s *source) Verdict {
	audio, ok := walkFLAC(s, func(byte, int64, int64) {})
	sync := s.bytes(audio, 2)
	if !ok || sync == nil || sync[0] != 0xff || sync[1]&0xfc != 0xf8 {
		return Partial
	}
	return Settling
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
