package comfy

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// mp3Frame reports the header of an MPEG layer III frame.
func mp3Frame(b []byte) bool {
	return len(b) >= 4 && b[0] == 0xff && b[1]&0xe6 == 0xe2 && b[1]&0x18 != 0x08 &&
		b[2]&0xf0 != 0xf0 && b[2]&0x0c != 0x0c
}

// wholeMP3 compares the file with the length in the Xing or Info frame that LAME and
// FFmpeg put first. Without one there is no end mark: ComfyUI writes the file at once,
// so that it only needs to settle.
func wholeMP3(s *source) Verdict {
	start, ok := id3End(s)
	frame := s.bytes(start, 64)
	if !ok || !mp3Frame(frame) {
		return Partial
	}
	n, ok := xingBytes(frame)
	const id3v1 = 128
	switch {
	case !ok:
		return Settling
	case s.size < start+n:
		return Partial
	case s.size == start+n || s.size == start+n+id3v1:
		return Complete
	}
	return Settling
}

// id3End returns where the audio begins: past the ID3v2 tag, if there is one.
func id3End(s *source) (int64, bool) {
	head := s.bytes(0, 10)
	if head == nil {
		return 0, false
	}
	if string(head[:3]) != "ID3" {
		return 0, true
	}
	end := 10 + int64(syncsafe(head[6:]))
	if head[5]&0x10 != 0 {
		end += 10 // a footer
	}
	return end, end < s.size
}

// syncsafe reads four bytes of seven bits each.
func syncsafe(b []byte) uint32 {
	return uint32(b[0]&0x7f)<<21 | uint32(b[1]&0x7f)<<14 | uint32(b[2]&0x7f)<<7 | uint32(b[3]&0x7f)
}

// xingBytes returns the length of the stream in bytes, this frame included.
func xingBytes(frame []byte) (int64, bool) {
	at := 4 + sideInfo(frame)
	if len(frame) < at+16 || (string(frame[at:at+4]) != "Xing" && string(frame[at:at+4]) != "Info") {
		return 0, false
	}
	const hasFrames, hasBytes = 1, 2
	flags := binary.BigEndian.Uint32(frame[at+4:])
	if flags&hasBytes == 0 {
		return 0, false
	}
	at += 8
	if flags&hasFrames != 0 {
		at += 4
	}
	return int64(binary.BigEndian.Uint32(frame[at:])), true
}

// sideInfo is the length of what stands between the frame's header and the Xing mark.
func sideInfo(frame []byte) int {
	mpeg1, mono := frame[1]&0x18 == 0x18, frame[3]&0xc0 == 0xc0
	switch {
	case mpeg1 && !mono:
		return 32
	case !mpeg1 && mono:
		return 9
	}
	return 17
}

// metadataMP3 reads the TXXX frames of an ID3v2.3 or 2.4 tag.
func metadataMP3(s *source, t *tags) {
	head := s.bytes(0, 10)
	if head == nil || string(head[:3]) != "ID3" || head[3] < 3 {
		return
	}
	b := s.upTo(10, int(min(syncsafe(head[6:]), maxMetadata)))
	for len(b) >= 10 && printable(b[:4]) {
		n := int64(binary.BigEndian.Uint32(b[4:]))
		if head[3] >= 4 {
			n = int64(syncsafe(b[4:]))
		}
		if n > int64(len(b)-10) {
			return
		}
		if string(b[:4]) == "TXXX" && n > 0 {
			t.addTXXX(b[10], b[11:10+n])
		}
		b = b[10+n:]
	}
}

// addTXXX takes a description and a value, in latin-1 (0), UTF-16 (1, 2) or UTF-8 (3).
func (t *tags) addTXXX(encoding byte, b []byte) {
	if encoding == 1 || encoding == 2 {
		key, value := cutUTF16(b)
		t.add(key, value)
		return
	}
	key, value, _ := bytes.Cut(b, []byte{0})
	t.add(latin1Text(key), latin1Text(bytes.TrimRight(value, "\x00")))
}

// cutUTF16 splits at the first NUL character; each half may carry its own byte order mark.
func cutUTF16(b []byte) (key, value string) {
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 && b[i+1] == 0 {
			return fromUTF16(b[:i]), fromUTF16(b[i+2:])
		}
	}
	return fromUTF16(b), ""
}

func fromUTF16(b []byte) string {
	var order binary.ByteOrder = binary.BigEndian
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0xfe {
		order = binary.LittleEndian
	}
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		if u := order.Uint16(b); u != 0 && u != 0xfeff {
			units = append(units, u)
		}
	}
	return string(utf16.Decode(units))
}
