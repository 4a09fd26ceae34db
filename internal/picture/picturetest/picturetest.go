// Package picturetest makes pictures that cost much to decode, for tests.
package picturetest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
)

// PNG is a whole PNG in RGBA of few bytes, w by h pixels, depth bits a channel.
// Its first rows pixels are zero; the others are missing.
func PNG(w, h uint32, depth byte, rows uint32) []byte {
	var packed bytes.Buffer
	z, err := zlib.NewWriterLevel(&packed, zlib.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	row := make([]byte, 1+w*4*uint32(depth)/8)
	for range min(h, rows) {
		_, _ = z.Write(row) // a buffer takes everything
	}
	_ = z.Close()
	out := []byte("\x89PNG\r\n\x1a\n")
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	for _, c := range []struct {
		kind string
		body []byte
	}{{"IHDR", append(head, depth, 6, 0, 0, 0)}, {"IDAT", packed.Bytes()}, {"IEND", nil}} {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(c.body))), c.kind...)
		out = binary.BigEndian.AppendUint32(append(out, c.body...), crc32.Update(crc32.ChecksumIEEE([]byte(c.kind)), crc32.IEEETable, c.body))
	}
	return out
}

// Progressive is a progressive JPEG of w by h pixels whose pixels are all one
// colour: each component, 1 or 3 of them, has that many scans of some 60 bytes
// that go through the whole picture.
func Progressive(w, h, components, scans int) []byte {
	segment := func(mark byte, body ...byte) []byte {
		return append([]byte{0xff, mark, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...)
	}
	table := func(class, value byte) []byte { // one code of one bit
		return segment(0xc4, append(append([]byte{class, 1}, make([]byte, 15)...), value)...)
	}
	frame := []byte{8, byte(h >> 8), byte(h), byte(w >> 8), byte(w), byte(components)}
	for i := range components {
		hv := byte(0x11)
		if i == 0 && components > 1 {
			hv = 0x22
		}
		frame = append(frame, byte(i+1), hv, 0)
	}
	out := bytes.Join([][]byte{{0xff, 0xd8}, segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...), segment(0xc2, frame...), table(0, 0), table(0x10, 0xe0)}, nil)
	blocks := ((w+15)/16 + 1) * ((h+15)/16 + 1) * 4
	for i := range components {
		id := byte(i + 1)
		out = append(append(out, segment(0xda, 1, id, 0, 0, 0, 0)...), make([]byte, blocks/8+8)...)
		for range scans {
			out = append(append(out, segment(0xda, 1, id, 0, 1, 63, 0)...), make([]byte, blocks/8000+4)...)
		}
	}
	return append(out, 0xff, 0xd9)
}
