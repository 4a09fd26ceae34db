package comfy

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"io"
	"unicode/utf8"
)

const pngMagic = "\x89PNG\r\n\x1a\n"

// wholePNG walks every chunk with its CRC: a cached read over the network can show
// holes of NUL bytes inside a file of the right length. APNG is the same; ComfyUI
// appends its comf chunks after the frames.
func wholePNG(s *source) Verdict {
	left := s.size - int64(len(pngMagic))
	in := s.stream(int64(len(pngMagic)), left)
	var first, last string
	pixels := false
	for left > 0 && last != "IEND" {
		kind, n, ok := checkChunk(s, in, left)
		if !ok || !s.part() {
			return Partial
		}
		if first == "" {
			first = kind
		}
		pixels = pixels || kind == "IDAT"
		last, left = kind, left-n
	}
	if first == "IHDR" && last == "IEND" && pixels && left == 0 {
		return Complete
	}
	return Partial
}

// checkChunk reads one chunk and compares its CRC. n is its whole length in the file.
func checkChunk(s *source, in *bufio.Reader, left int64) (kind string, n int64, ok bool) {
	var head [8]byte
	if left < 12 || !s.fill(in, head[:]) {
		return "", 0, false
	}
	n = int64(binary.BigEndian.Uint32(head[:4])) + 12
	if n > left || !printable(head[4:]) {
		return "", 0, false
	}
	sum := crc32.ChecksumIEEE(head[4:])
	if err := sumNext(in, n-12, func(b []byte) { sum = crc32.Update(sum, crc32.IEEETable, b) }); err != nil {
		s.note(err)
		return "", 0, false
	}
	var want [4]byte
	if !s.fill(in, want[:]) || binary.BigEndian.Uint32(want[:]) != sum {
		return "", 0, false
	}
	return string(head[4:]), n, true
}

// metadataPNG reads tEXt, zTXt and iTXt, and the comf chunks of SaveAnimatedPNG. Of a
// key that stands twice the last one counts, as in other readers: a user's own
// "prompt" in extra_pnginfo follows ComfyUI's.
func metadataPNG(s *source, t *tags) {
	off := int64(len(pngMagic))
	for {
		head := s.bytes(off, 8)
		if head == nil || !s.part() {
			return
		}
		n := int64(binary.BigEndian.Uint32(head))
		if readsPNG(string(head[4:])) && n <= maxMetadata {
			t.addPNG(string(head[4:]), s.bytes(off+8, int(n)))
		}
		off += n + 12
	}
}

func readsPNG(kind string) bool {
	return kind == "tEXt" || kind == "zTXt" || kind == "iTXt" || kind == "comf"
}

func (t *tags) addPNG(kind string, body []byte) {
	key, rest, found := bytes.Cut(body, []byte{0})
	if !found {
		return
	}
	switch kind {
	case "tEXt", "comf":
		t.add(latin1Text(key), latin1Text(rest))
	case "zTXt":
		if len(rest) > 0 {
			t.add(latin1Text(key), latin1Text(t.inflate(rest[1:])))
		}
	case "iTXt":
		t.addInternational(latin1Text(key), rest)
	}
}

// addInternational takes what follows the key of an iTXt chunk: a compression flag and
// method, a language, a translated key, the text in UTF-8.
func (t *tags) addInternational(key string, rest []byte) {
	parts := bytes.SplitN(rest[min(2, len(rest)):], []byte{0}, 3)
	if len(parts) < 3 {
		return
	}
	text := parts[2]
	if rest[0] == 1 {
		text = t.inflate(text)
	}
	t.add(key, string(text))
}

// inflate unpacks no more than the room that is left; a bomb gives nothing.
func (t *tags) inflate(packed []byte) []byte {
	if !t.may(tagCost) {
		return nil
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil
	}
	plain, err := io.ReadAll(io.LimitReader(z, int64(t.room)+1))
	if !t.may(len(plain)) || err != nil || len(plain) > t.room {
		return nil
	}
	return plain
}

// latin1Text reads text that the format declares as latin-1. Some writers put UTF-8
// there; what is valid UTF-8 stays as it is.
func latin1Text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}
