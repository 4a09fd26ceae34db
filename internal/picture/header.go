package picture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrUnreadable says that the bytes are no picture in a format that is decoded
// here: PNG, JPEG, GIF (the first frame) and still WebP.
var ErrUnreadable = errors.New("it is no PNG, JPEG, GIF or still WebP that can be read")

// Header is what the first bytes of a picture say, read without decoding it.
type Header struct {
	Format        string // png, jpeg, gif or webp
	Width, Height int    // at least 1, at most maxSide
	// Pixel is the bytes that one pixel takes when decoded, rounded up.
	Pixel int
	// Memory is what the decoder holds at most at once, in bytes: the decoded
	// picture, its coefficients and copies; not the file.
	Memory int64
}

// Bounds of headers. A side beyond maxSide is refused by its memory in any
// format; the bound keeps the sums from overflowing.
const (
	maxSide       = 1 << 24
	maxChunks     = 256      // before the pixels, of a PNG or WebP
	maxJPEGHeader = 16 << 20 // bytes before the frame's header
	maxScans      = 100      // of a JPEG; encoders make some 10, at most some 30
	maxVisits     = 16 << 20 // of blocks, all scans of a JPEG together
)

// pixels is the number of pixels.
func (h Header) pixels() int64 { return int64(h.Width) * int64(h.Height) }

// ReadHeader reads the header of a picture of size bytes. The error wraps
// ErrUnreadable when there is none, or is that of r.
func ReadHeader(r io.ReaderAt, size int64) (Header, error) {
	f := &failing{r: r}
	head := make([]byte, 40)
	n, _ := f.ReadAt(head, 0)
	head = head[:n]
	var h Header
	ok := false
	switch {
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		h, ok = pngHeader(f, head)
	case bytes.HasPrefix(head, []byte("\xff\xd8")):
		h, ok = jpegHeader(bufio.NewReader(io.NewSectionReader(f, 2, min(size-2, maxJPEGHeader))))
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		h, ok = gifHeader(head)
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		h, ok = webpHeader(f)
	}
	switch {
	case f.err != nil:
		return Header{}, fmt.Errorf("read picture: %w", f.err)
	case !ok || h.Width < 1 || h.Height < 1:
		return Header{}, ErrUnreadable
	case h.Width > maxSide || h.Height > maxSide:
		return Header{}, tooLarge(fmt.Sprintf("the picture has %d x %d pixels, too many to be decoded", h.Width, h.Height))
	}
	return h, nil
}

// failing keeps the reader's own failure apart from an early end.
type failing struct {
	r   io.ReaderAt
	err error
}

func (f *failing) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.r.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// pngHeader accounts for what image/png makes of each colour type and depth.
func pngHeader(r io.ReaderAt, head []byte) (Header, bool) {
	if len(head) < 33 || string(head[12:16]) != "IHDR" {
		return Header{}, false
	}
	w, h := binary.BigEndian.Uint32(head[16:]), binary.BigEndian.Uint32(head[20:])
	if w > 1<<31-1 || h > 1<<31-1 {
		return Header{}, false
	}
	const grey, palette = 0, 3
	depth, colours, interlaced := head[24], head[25], head[28] != 0
	pixel := 4
	switch {
	case colours == grey:
		pixel = 1
		transparent, ok := pngHasTransparency(r)
		if !ok {
			return Header{}, false
		}
		if transparent {
			pixel = 4
		}
	case colours == palette:
		pixel = 1
	}
	if depth == 16 {
		pixel *= 2
	}
	out := Header{Format: "png", Width: int(w), Height: int(h), Pixel: pixel}
	if w <= maxSide && h <= maxSide {
		out.Memory = out.pixels() * int64(pixel)
		if interlaced {
			out.Memory *= 2 // each pass is a picture of its own
		}
	}
	return out, true
}

// pngHasTransparency looks for tRNS before the pixels; false when the chunks do
// not lead there.
func pngHasTransparency(r io.ReaderAt) (has, ok bool) {
	off := int64(8)
	for range maxChunks {
		var chunk [8]byte
		if n, _ := r.ReadAt(chunk[:], off); n < len(chunk) {
			return false, false
		}
		switch string(chunk[4:]) {
		case "tRNS":
			return true, true
		case "IDAT":
			return false, true
		}
		off += int64(binary.BigEndian.Uint32(chunk[:])) + 12
	}
	return false, false
}

func gifHeader(head []byte) (Header, bool) {
	if len(head) < 10 {
		return Header{}, false
	}
	h := Header{Format: "gif", Width: int(binary.LittleEndian.Uint16(head[6:])), Height: int(binary.LittleEndian.Uint16(head[8:])), Pixel: 1}
	h.Memory = 2 * h.pixels() // an interlaced frame is put in order in a second one
	return h, true
}

// webpHeader finds the first chunk with pixels. The canvas of the extended form
// is what the decoder goes by.
func webpHeader(r io.ReaderAt) (Header, bool) {
	h := Header{Format: "webp"}
	var canvas, alpha bool
	off := int64(12)
	for range maxChunks {
		head := make([]byte, 18) // the head of a chunk, and the head of what is in it
		n, _ := r.ReadAt(head, off)
		if n < 8 {
			return h, false
		}
		kind, length, body := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:])), head[8:n]
		switch {
		case kind == "VP8X" && len(body) == 10 && !canvas && off == 12:
			const animated, hasAlpha = 1 << 1, 1 << 4
			if body[0]&animated != 0 {
				return h, false
			}
			canvas, alpha = true, body[0]&hasAlpha != 0
			h.Width = 1 + int(body[4]) + int(body[5])<<8 + int(body[6])<<16
			h.Height = 1 + int(body[7]) + int(body[8])<<8 + int(body[9])<<16
		case kind == "VP8 " && len(body) == 10:
			if !canvas {
				h.Width, h.Height = int(binary.LittleEndian.Uint16(body[6:]))&0x3fff, int(binary.LittleEndian.Uint16(body[8:]))&0x3fff
			}
			wide, high := int64(h.Width+15)&^15, int64(h.Height+15)&^15
			h.Pixel, h.Memory = 2, wide*high*3/2+length
			if alpha {
				h.Pixel, h.Memory = 3, h.Memory+h.pixels()+losslessWebP*h.pixels()
			}
			return h, true
		case kind == "VP8L" && len(body) >= 5:
			if bits := binary.LittleEndian.Uint32(body[1:]); !canvas {
				h.Width, h.Height = 1+int(bits&0x3fff), 1+int(bits>>14&0x3fff)
			}
			h.Pixel, h.Memory = 4, losslessWebP*h.pixels()
			return h, true
		}
		off += 8 + length + length%2
	}
	return h, false
}

// losslessWebP is the bytes a pixel takes while a VP8L is decoded: the picture,
// a second one while colours are looked up, and the pictures of its tiles.
const losslessWebP = 10
