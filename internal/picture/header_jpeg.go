package picture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// The markers of JPEG that count here.
const (
	jpegSOF0, jpegSOF2  = 0xc0, 0xc2
	jpegRST0, jpegRST7  = 0xd0, 0xd7
	jpegEOI, jpegSOS    = 0xd9, 0xda
	jpegAdobe           = 0xee
	jpegBlock           = 64 // samples
	jpegCoefficientSize = 4  // bytes
)

// jpegFrame is what a JPEG says of itself before its first scan.
type jpegFrame struct {
	width, height int
	progressive   bool
	blocks        map[byte]int64 // by the component's name
	copied        bool           // the decoder makes a second picture, of 4 bytes a pixel
}

// jpegHeader accounts for the planes with their padding, the coefficients of a
// progressive picture, and the copy of one in RGB or CMYK.
func jpegHeader(in *bufio.Reader) (Header, bool) {
	f, ok := readJPEGFrame(in)
	if !ok {
		return Header{}, false
	}
	h := Header{Format: "jpeg", Width: f.width, Height: f.height, Pixel: len(f.blocks)}
	var samples int64
	for _, n := range f.blocks {
		samples += n * jpegBlock
	}
	h.Memory = samples
	if f.progressive {
		h.Memory += samples * jpegCoefficientSize
	}
	if f.copied {
		h.Pixel, h.Memory = 4, h.Memory+4*h.pixels()
	}
	return h, true
}

// readJPEGFrame reads up to the frame header, and finds the markers where
// image/jpeg finds them.
func readJPEGFrame(in *bufio.Reader) (jpegFrame, bool) {
	adobe := false
	for {
		mark, body, ok := nextJPEGSegment(in)
		switch {
		case !ok || mark == jpegSOS || mark == jpegEOI:
			return jpegFrame{}, false
		case mark == jpegAdobe:
			adobe = true
		case mark >= jpegSOF0 && mark <= jpegSOF2:
			f, ok := parseJPEGFrame(body)
			f.progressive, f.copied = mark == jpegSOF2, f.copied || adobe && len(f.blocks) > 1
			return f, ok
		}
	}
}

// nextJPEGSegment skips what is between segments and reads the next one.
func nextJPEGSegment(in *bufio.Reader) (mark byte, body []byte, ok bool) {
	for {
		if _, err := in.ReadSlice(0xff); err == bufio.ErrBufferFull {
			continue
		} else if err != nil {
			return 0, nil, false
		}
		mark, err := in.ReadByte()
		for err == nil && mark == 0xff {
			mark, err = in.ReadByte()
		}
		switch {
		case err != nil:
			return 0, nil, false
		case mark == 0 || mark >= jpegRST0 && mark <= jpegRST7:
			continue
		case mark == jpegEOI:
			return mark, nil, true
		}
		var length [2]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return 0, nil, false
		}
		n := int(binary.BigEndian.Uint16(length[:])) - 2
		if n < 0 {
			return 0, nil, false
		}
		body = make([]byte, n)
		_, err = io.ReadFull(in, body)
		return mark, body, err == nil
	}
}

func parseJPEGFrame(b []byte) (jpegFrame, bool) {
	if len(b) < 6 || len(b) != 6+3*int(b[5]) {
		return jpegFrame{}, false
	}
	f := jpegFrame{height: int(binary.BigEndian.Uint16(b[1:])), width: int(binary.BigEndian.Uint16(b[3:])), blocks: map[byte]int64{}}
	components := b[6:]
	n := len(components) / 3
	if n != 1 && n != 3 && n != 4 {
		return jpegFrame{}, false
	}
	side := func(at int) (h, v int64) {
		if n == 1 {
			return 1, 1 // a single component has no other (A.2.2)
		}
		return int64(components[3*at+1] >> 4), int64(components[3*at+1] & 0x0f)
	}
	h0, v0 := side(0)
	if h0 < 1 || v0 < 1 {
		return jpegFrame{}, false
	}
	units := ((int64(f.width) + 8*h0 - 1) / (8 * h0)) * ((int64(f.height) + 8*v0 - 1) / (8 * v0))
	var names []byte
	for i := range n {
		h, v := side(i)
		names = append(names, components[3*i])
		f.blocks[components[3*i]] = units * h * v
	}
	f.copied = n == 4 || string(names) == "RGB"
	return f, len(f.blocks) == n
}

// jpegCost counts the scans of a JPEG and the blocks that its decoder visits in
// them: each scan goes through the whole picture, however few bytes it has.
func jpegCost(b []byte) error {
	f, ok := readJPEGFrame(bufio.NewReader(bytes.NewReader(b[min(2, len(b)):])))
	if !ok {
		return ErrUnreadable
	}
	scans, visits := 0, int64(0)
	for b = b[2:]; ; {
		at := bytes.IndexByte(b, 0xff)
		if at < 0 || at+2 > len(b) {
			return nil
		}
		b = b[at+1:]
		switch mark := b[0]; {
		case mark == 0xff:
			continue
		case mark == 0 || mark >= jpegRST0 && mark <= jpegRST7:
			b = b[1:]
			continue
		case mark == jpegEOI:
			return nil
		case mark == jpegSOS && len(b) > 3:
			scans++
			for i := range min(int(b[3]), 4) {
				if 4+2*i < len(b) {
					visits += f.blocks[b[4+2*i]]
				}
			}
			if scans > maxScans || visits > maxVisits {
				return tooCostly(fmt.Sprintf("the JPEG goes through its %d x %d pixels more than %d times", f.width, f.height, scans-1))
			}
		}
		if len(b) < 3 {
			return nil
		}
		b = b[min(len(b), 1+int(binary.BigEndian.Uint16(b[1:]))):]
	}
}
