package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"io"

	"golang.org/x/image/draw"
)

// Bounds of a preview in pixels and bytes.
const (
	MaxWidth      = 1024
	maxHeight     = 4 * MaxWidth
	previewResult = MaxWidth * maxHeight * 4
)

func (h Header) previewSize(width int) (w, high int) {
	w = min(width, h.Width)
	return w, min(max(1, h.Height*w/h.Width), maxHeight)
}

// previewMemory is what the small picture takes beside the large one.
func (h Header) previewMemory(width int) int64 {
	w, high := h.previewSize(width)
	return 2 * 4 * int64(w) * int64(high)
}

// maskedMemory is what masked makes beside the original.
func (h Header) maskedMemory() int64 {
	if h.Format == "png" && h.Pixel == 4 {
		return 0
	}
	return 4 * h.pixels()
}

func shrunk(full image.Image, width int) image.Image {
	b := full.Bounds()
	w, h := Header{Width: b.Dx(), Height: b.Dy()}.previewSize(width)
	small := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.ApproxBiLinear.Scale(small, small.Bounds(), full, b, draw.Src, nil)
	return small
}

// alphaOf is the transparency of a picture, row by row.
func alphaOf(img image.Image) []byte {
	b := img.Bounds()
	out := make([]byte, 0, b.Dx()*b.Dy())
	nrgba, _ := img.(*image.NRGBA)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		if nrgba != nil {
			for row := nrgba.Pix[nrgba.PixOffset(b.Min.X, y):][:4*b.Dx()]; len(row) > 0; row = row[4:] {
				out = append(out, row[3])
			}
			continue
		}
		for x := b.Min.X; x < b.Max.X; x++ {
			_, _, _, a := img.At(x, y).RGBA()
			out = append(out, uint8(a>>8))
		}
	}
	return out
}

// masked is the original with another transparency. Its colours under full
// transparency count, since a sampler sees them, so they are never premultiplied.
func masked(original image.Image, alpha []byte) *image.NRGBA {
	b := original.Bounds()
	out, _ := original.(*image.NRGBA)
	if rgba, ok := original.(*image.RGBA); ok && rgba.Opaque() {
		out = &image.NRGBA{Pix: rgba.Pix, Stride: rgba.Stride, Rect: rgba.Rect}
	}
	if out == nil {
		out = image.NewNRGBA(b)
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				out.SetNRGBA(x, y, color.NRGBAModel.Convert(original.At(x, y)).(color.NRGBA))
			}
		}
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for row := out.Pix[out.PixOffset(b.Min.X, y):][:4*b.Dx()]; len(row) > 0; row, alpha = row[4:], alpha[1:] {
			row[3] = alpha[0]
		}
	}
	return out
}

const (
	pngMagic = "\x89PNG\r\n\x1a\n"
	pngIHDR  = 8 + 13 + 4 // length, type, body and CRC of the first chunk
	pngFrame = 4 + 4 + 4  // of a chunk: length, type, CRC
	maxTexts = 16 << 20   // bytes of texts that are taken along
)

// textChunks are the chunks of a PNG that hold texts, such as the workflow;
// none for another format.
func textChunks(raw []byte) []byte {
	var out []byte
	if !bytes.HasPrefix(raw, []byte(pngMagic)) {
		return nil
	}
	for at := len(pngMagic); at+pngFrame <= len(raw); {
		size := int64(binary.BigEndian.Uint32(raw[at:]))
		end := int64(at) + pngFrame + size
		if end > int64(len(raw)) {
			break
		}
		switch string(raw[at+4 : at+8]) {
		case "tEXt", "iTXt", "zTXt":
			if len(out)+int(end)-at <= maxTexts {
				out = append(out, raw[at:end]...)
			}
		}
		at = int(end)
	}
	return out
}

// textInserter writes chunks behind the head of a PNG that it passes on.
type textInserter struct {
	w     io.Writer
	texts []byte
	done  bool
}

// Write takes at least the whole head at first.
func (t *textInserter) Write(b []byte) (int, error) {
	const head = len(pngMagic) + pngIHDR
	if t.done || len(t.texts) == 0 || len(b) < head {
		return t.w.Write(b)
	}
	t.done = true
	for _, part := range [][]byte{b[:head], t.texts, b[head:]} {
		if _, err := t.w.Write(part); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
