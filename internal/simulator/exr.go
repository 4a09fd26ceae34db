package simulator

import (
	"encoding/binary"
	"math"
)

// encodeEXR is SaveImageAdvanced's scene-linear picture: three channels of
// 32-bit floats, one scanline a block, no compression. The metadata are header
// attributes of the type string.
func encodeEXR(s scene) ([]byte, error) {
	img := s.frame(s.index, 64)
	sign(img, s.mark)
	w, h := img.Rect.Dx(), img.Rect.Dy()
	le := binary.LittleEndian
	ints := func(values ...int) []byte {
		var b []byte
		for _, v := range values {
			b = le.AppendUint32(b, uint32(v))
		}
		return b
	}
	one := ints(int(math.Float32bits(1)))
	var channels []byte
	for _, name := range []string{"B", "G", "R"} {
		const float = 2
		channels = append(append(channels, name+"\x00"...), ints(float, 0, 1, 1)...)
	}
	window := ints(0, 0, w-1, h-1)
	out := []byte("v/1\x01\x02\x00\x00\x00")
	attribute := func(name, kind string, value []byte) {
		out = append(append(out, name+"\x00"+kind+"\x00"...), ints(len(value))...)
		out = append(out, value...)
	}
	attribute("channels", "chlist", append(channels, 0))
	attribute("compression", "compression", []byte{0})
	attribute("dataWindow", "box2i", window)
	attribute("displayWindow", "box2i", window)
	attribute("lineOrder", "lineOrder", []byte{0})
	attribute("screenWindowCenter", "v2f", ints(0, 0))
	attribute("screenWindowWidth", "float", one)
	attribute("writer", "string", []byte("lavc"))
	for _, e := range s.pairs() {
		attribute(e.key, "string", []byte(e.json))
	}
	out = append(out, 0)
	size := w * 3 * 4
	for y := range h {
		out = le.AppendUint64(out, uint64(len(out)-y*8+h*8+y*(8+size)))
	}
	for y := range h {
		out = append(out, ints(y, size)...)
		for _, channel := range []int{2, 1, 0} {
			for x := range w {
				out = le.AppendUint32(out, math.Float32bits(float32(img.Pix[img.PixOffset(x, y)+channel])/255))
			}
		}
	}
	return out, nil
}
