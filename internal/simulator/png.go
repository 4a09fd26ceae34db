package simulator

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"unicode/utf8"
)

var pngEncoder = png.Encoder{CompressionLevel: png.BestSpeed}

// chunk is one PNG chunk.
type chunk struct {
	kind string
	body []byte
}

func (c chunk) appendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.body)))
	start := len(b)
	b = append(append(b, c.kind...), c.body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
}

const pngSignature = "\x89PNG\r\n\x1a\n"

func joinChunks(chunks []chunk) []byte {
	out := []byte(pngSignature)
	for _, c := range chunks {
		out = c.appendTo(out)
	}
	return out
}

// imageChunks encodes a picture and cuts the result into its chunks.
func imageChunks(img image.Image) ([]chunk, error) {
	var b bytes.Buffer
	if err := pngEncoder.Encode(&b, img); err != nil {
		return nil, &raised{"OSError", err.Error()}
	}
	var chunks []chunk
	for rest := b.Bytes()[len(pngSignature):]; len(rest) >= 12; {
		n := binary.BigEndian.Uint32(rest)
		chunks = append(chunks, chunk{string(rest[4:8]), rest[8 : 8+n]})
		rest = rest[12+n:]
	}
	return chunks, nil
}

// tEXtLike is key, NUL, value: the body of tEXt and of ComfyUI's comf.
func tEXtLike(e entry) ([]byte, error) {
	key, err := latin1(e.key)
	if err != nil {
		return nil, err
	}
	return append(append(key, 0), e.json...), nil
}

// latin1 is what Pillow writes keys in; others fail the node.
func latin1(s string) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 255 || r == utf8.RuneError {
			return nil, &raised{"UnicodeEncodeError", "'latin-1' codec can't encode characters in position 0-" + dumps(number(utf8.RuneCountInString(s)-1)) + ": ordinal not in range(256)"}
		}
		out = append(out, byte(r))
	}
	return out, nil
}

func metadataChunks(s scene, kind string) ([]chunk, error) {
	var chunks []chunk
	for _, e := range s.pairs() {
		body, err := tEXtLike(e)
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, chunk{kind, body})
	}
	return chunks, nil
}

// encodePNG is SaveImage's file: IHDR, tEXt for the prompt and every key of
// extra_pnginfo, IDAT, IEND.
func encodePNG(s scene) ([]byte, error) {
	side := maxSide
	if s.count > 16 {
		side = 64
	}
	img := s.frame(s.index, side)
	sign(img, s.mark)
	chunks, err := imageChunks(img)
	if err != nil {
		return nil, err
	}
	meta, err := metadataChunks(s, "tEXt")
	if err != nil {
		return nil, err
	}
	return joinChunks(append(append(chunks[:1:1], meta...), chunks[1:]...)), nil
}

// motion bounds animations: frames and side in pixels.
const (
	maxFrames  = 8
	motionSide = 128
)

func (s scene) frames() []*image.NRGBA {
	n := min(max(s.count, 1), maxFrames)
	frames := make([]*image.NRGBA, n)
	for i := range frames {
		frames[i] = s.frame(i, motionSide)
		sign(frames[i], s.mark+uint64(i))
	}
	return frames
}

// encodeAPNG is SaveAnimatedPNG's file; its metadata stands after the frames,
// in chunks of ComfyUI's own kind.
func encodeAPNG(s scene) ([]byte, error) {
	meta, err := metadataChunks(s, "comf")
	if err != nil {
		return nil, err
	}
	var out []chunk
	sequence := uint32(0)
	frames := s.frames()
	for i, img := range frames {
		chunks, err := imageChunks(img)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			out = append(out, chunks[0])
			if len(frames) > 1 {
				out = append(out, chunk{"acTL", be(uint32(len(frames)), 0)})
			}
		}
		if len(frames) > 1 {
			out = append(out, frameControl(sequence, img.Rect.Dx(), img.Rect.Dy()))
			sequence++
		}
		for _, c := range chunks {
			if c.kind != "IDAT" {
				continue
			}
			if i > 0 {
				c = chunk{"fdAT", append(be(sequence), c.body...)}
				sequence++
			}
			out = append(out, c)
		}
	}
	return joinChunks(append(append(out, meta...), chunk{kind: "IEND"})), nil
}

func be(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// frameControl shows a frame for a sixth of a second.
func frameControl(sequence uint32, w, h int) chunk {
	body := be(sequence, uint32(w), uint32(h), 0, 0)
	body = binary.BigEndian.AppendUint16(body, 1)
	body = binary.BigEndian.AppendUint16(body, 6)
	return chunk{"fcTL", append(body, 0, 0)}
}
