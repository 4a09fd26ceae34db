package simulator

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"strings"
)

//go:embed fixtures/video.webm
var fixtureWEBM []byte

// EBML ids, with their length markers.
var (
	idSegment = []byte{0x18, 0x53, 0x80, 0x67}
	idTags    = []byte{0x12, 0x54, 0xc3, 0x67}
	idTag     = []byte{0x73, 0x73}
	idTargets = []byte{0x63, 0xc0}
	idSimple  = []byte{0x67, 0xc8}
	idName    = []byte{0x45, 0xa3}
	idString  = []byte{0x44, 0x87}
	idVoid    = []byte{0xec}
)

// element is an EBML element with an eight-byte size.
func element(id []byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	size := binary.BigEndian.AppendUint64(nil, uint64(len(body))|1<<56)
	return append(append(bytes.Clone(id), size...), body...)
}

// encodeWEBM is SaveWEBM's file. The recorded tags become a Void element of
// the same length, so that every position in the file stays true, and the
// new ones stand at the end, where the seek head is told to find them.
func encodeWEBM(s scene) ([]byte, error) {
	file := bytes.Clone(fixtureWEBM)
	segment := bytes.Index(file, idSegment)
	body := segment + len(idSegment) + 8
	old := body + bytes.Index(file[body+0x60:], idTags) + 0x60
	length, sizeBytes := elementSize(file[old+len(idTags):])
	end := old + len(idTags) + sizeBytes + length
	point(file[body:old], uint16(len(file)-body))
	void := element(idVoid, make([]byte, end-old-9))
	copy(void[9:], s.markText())
	copy(file[old:end], void)
	file = append(file, webmTags(s)...)
	binary.BigEndian.PutUint64(file[body-8:], uint64(len(file)-body)|1<<56)
	return file, nil
}

// elementSize reads an EBML size and how many bytes it took.
func elementSize(b []byte) (size, width int) {
	width = 1
	for mask := byte(0x80); mask > 0 && b[0]&mask == 0; mask >>= 1 {
		width++
	}
	size = int(b[0]) & (0xff >> width)
	for _, c := range b[1:width] {
		size = size<<8 | int(c)
	}
	return size, width
}

// point makes the seek head's entry for Tags say where they are now.
func point(head []byte, position uint16) {
	entry := append([]byte{0x53, 0xab, 0x84}, idTags...)
	if i := bytes.Index(head, entry); i >= 0 {
		binary.BigEndian.PutUint16(head[i+len(entry)+3:], position)
	}
}

func webmTags(s scene) []byte {
	tags := [][]byte{element(idTargets)}
	for _, e := range append(s.pairs(), entry{key: "encoder", json: libavformat}) {
		tags = append(tags, element(idSimple, element(idName, []byte(strings.ToUpper(e.key))), element(idString, []byte(e.json))))
	}
	return element(idTags, element(idTag, tags...))
}
