package simulator

import (
	"bytes"
	"encoding/binary"
	"image"
	"slices"

	"github.com/HugoSmits86/nativewebp"
)

// riff is one chunk of a RIFF file, padded to an even length.
func riff(kind string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(body)))
	b = append(b, body...)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

// encodeWEBP is SaveAnimatedWEBP's file: VP8X, ANIM and one ANMF a frame (or
// the bare frame when there is one), then EXIF with the metadata.
func encodeWEBP(s scene) ([]byte, error) {
	frames := s.frames()
	w, h := frames[0].Rect.Dx(), frames[0].Rect.Dy()
	const hasEXIF, hasAnimation = 0x08, 0x02
	flags := byte(hasEXIF)
	var body []byte
	if len(frames) > 1 {
		flags |= hasAnimation
		body = riff("ANIM", make([]byte, 6))
	}
	for _, img := range frames {
		bits, err := losslessChunk(img)
		if err != nil {
			return nil, err
		}
		if len(frames) > 1 {
			bits = riff("ANMF", append(frameHeader(w, h), bits...))
		}
		body = append(body, bits...)
	}
	canvas := append([]byte{flags, 0, 0, 0}, append(u24(w-1), u24(h-1)...)...)
	file := append([]byte("WEBP"), riff("VP8X", canvas)...)
	file = append(file, body...)
	return riff("RIFF", append(file, riff("EXIF", exif(s.pairs()))...)), nil
}

func u24(n int) []byte { return []byte{byte(n), byte(n >> 8), byte(n >> 16)} }

// frameHeader places a frame at the corner for a sixth of a second.
func frameHeader(w, h int) []byte {
	b := make([]byte, 6)
	b = append(append(b, u24(w-1)...), u24(h-1)...)
	return append(append(b, u24(166)...), 0)
}

// losslessChunk is the VP8L chunk of a picture.
func losslessChunk(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := nativewebp.Encode(&b, img, nil); err != nil {
		return nil, &raised{"OSError", err.Error()}
	}
	const header = len("RIFF....WEBP")
	return b.Bytes()[header:], nil
}

// exif writes key:json strings under tags that descend from 0x0110, where the
// prompt stands, as ComfyUI gives them to Pillow.
func exif(pairs []entry) []byte {
	slices.Reverse(pairs)
	const field = 12
	data := 8 + 2 + field*len(pairs) + 4
	b := append([]byte("Exif\x00\x00MM\x00*"), be(8)...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(pairs)))
	var values []byte
	for i, e := range pairs {
		value := e.key + ":" + e.json + "\x00"
		b = binary.BigEndian.AppendUint16(b, uint16(0x0110-len(pairs)+1+i))
		b = binary.BigEndian.AppendUint16(b, 2)
		b = append(b, be(uint32(len(value)), uint32(data+len(values)))...)
		values = append(values, value...)
		if len(values)%2 == 1 {
			values = append(values, 0)
		}
	}
	return append(append(b, 0, 0, 0, 0), values...)
}
