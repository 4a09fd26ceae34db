package comfy

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"runtime"
	"strings"
	"testing"
)

func be32(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
func le32(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }

func join(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p...)
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

func pngChunk(kind string, body []byte) []byte {
	sum := crc32.ChecksumIEEE(join(kind, body))
	return join(be32(len(body)), kind, body, be32(int(sum)))
}

func bigPNG(size int) []byte {
	out := join(pngMagic, pngChunk("IHDR", make([]byte, 13)))
	for len(out) < size {
		out = append(out, pngChunk("IDAT", make([]byte, 64<<10))...)
	}
	return append(out, pngChunk("IEND", nil)...)
}

func mp4Box(kind string, body ...any) []byte {
	b := join(body...)
	return join(be32(len(b)+8), kind, b)
}

func riffFile(kind string, chunks ...any) []byte {
	b := join(chunks...)
	return join("RIFF", le32(len(b)+4), kind, b)
}

func picture() *image.Paletted {
	p := image.NewPaletted(image.Rect(0, 0, 40, 30), color.Palette{color.Black, color.White, color.Gray{90}})
	for i := range p.Pix {
		p.Pix[i] = uint8(i*7%11) % 3
	}
	return p
}

func encoded(t *testing.T, kind string) []byte {
	t.Helper()
	var out bytes.Buffer
	var err error
	switch kind {
	case "jpeg":
		err = jpeg.Encode(&out, picture(), nil)
	case "gif":
		err = gif.EncodeAll(&out, &gif.GIF{Image: []*image.Paletted{picture(), picture()}, Delay: []int{1, 1}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestOtherPicturesAreWholeOnlyWhole(t *testing.T) {
	for _, kind := range []string{"jpeg", "gif"} {
		b := encoded(t, kind)
		if got := verdict(t, b, "a."+kind); got != Complete {
			t.Errorf("%s: %v", kind, got)
		}
		for n := range b {
			if got := verdict(t, b[:n], "a."+kind); got != Partial {
				t.Fatalf("%s cut to %d of %d: %v", kind, n, len(b), got)
			}
		}
	}
}

// A JPEG of a camera carries a thumbnail, a JPEG with an end mark of its own.
func TestThumbnailDoesNotEndAJPEG(t *testing.T) {
	b := encoded(t, "jpeg")
	app1 := join("\xff\xe1", binary.BigEndian.AppendUint16(nil, uint16(len(b)+2)), b)
	withThumbnail := join(b[:2], app1, b[2:])
	if got := verdict(t, withThumbnail[:2+len(app1)], "a.jpg"); got != Partial {
		t.Errorf("cut after the thumbnail: %v", got)
	}
	if got := verdict(t, withThumbnail, "a.jpg"); got != Complete {
		t.Errorf("with its thumbnail: %v", got)
	}
}

func TestContainers(t *testing.T) {
	ftyp := mp4Box("ftyp", "isom\x00\x00\x02\x00")
	moov := mp4Box("moov", mp4Box("mvhd", make([]byte, 100)))
	fragmented := mp4Box("moov", mp4Box("mvex", make([]byte, 8)))
	mdat := mp4Box("mdat", "frames")
	large := join(be32(1), "mdat", be32(0), be32(22), "frames")
	ebml := "\x1a\x45\xdf\xa3\x80"
	for _, c := range []struct {
		name string
		file []byte
		want Verdict
	}{
		{"index last", join(ftyp, mdat, moov), Complete},
		{"index first", join(ftyp, moov, mdat), Complete},
		{"index first, no frames yet", join(ftyp, moov), Partial},
		{"64-bit size", join(ftyp, large, moov), Complete},
		{"64-bit size that lies", join(ftyp, be32(1), "mdat", strings.Repeat("\xff", 8), moov), Partial},
		{"size zero, still open", join(ftyp, be32(0), "mdat", "frames", moov), Partial},
		{"a box too small", join(ftyp, be32(4), "mdat", moov), Partial},
		{"trailing NUL", join(ftyp, mdat, moov, make([]byte, 16)), Partial},
		{"fragments", join(ftyp, fragmented, mp4Box("moof"), mdat), Settling},
		{"fragments with an index", join(ftyp, fragmented, mp4Box("moof"), mdat, mp4Box("mfra")), Complete},
		{"avif", join(mp4Box("ftyp", "avif\x00\x00\x00\x00"), mp4Box("meta", "x"), mdat), Complete},
		{"avif without data", join(mp4Box("ftyp", "avif\x00\x00\x00\x00"), mp4Box("meta", "x")), Partial},
		{"webm, open segment", join(ebml, "\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"), Partial},
		{"webm, open segment, one byte", join(ebml, "\x18\x53\x80\x67\xff\xec\x81a"), Partial},
		{"webm, closed", join(ebml, "\x18\x53\x80\x67\x83\xec\x81a"), Complete},
		{"webm, too long", join(ebml, "\x18\x53\x80\x67\x83\xec\x81ab"), Partial},
		{"webm, NUL inside", join(ebml, "\x18\x53\x80\x67\x83\x00\x00\x00"), Partial},
		{"webm, open cluster", join(ebml, "\x18\x53\x80\x67\x86\x1f\x43\xb6\x75\xffa"), Settling},
		{"wav", riffFile("WAVE", "fmt ", le32(2), "ab", "data", le32(4), "abcd"), Complete},
		{"wav, odd without padding", riffFile("WAVE", "data", le32(3), "abc"), Complete},
		{"wav, placeholder", join("RIFF\xff\xff\xff\xffWAVEdata", le32(4), "abcd"), Partial},
		{"webp with an empty page", riffFile("WEBP", "VP8 ", le32(12288), bytes.Repeat([]byte{1}, 4096), make([]byte, 8192)), Partial},
		{"webp without", riffFile("WEBP", "VP8 ", le32(12288), bytes.Repeat([]byte{1}, 12288)), Complete},
		{"png, no pixels", join(pngMagic, pngChunk("IHDR", make([]byte, 13)), pngChunk("IEND", nil)), Partial},
		{"png, header second", join(pngMagic, pngChunk("IDAT", nil), pngChunk("IHDR", nil), pngChunk("IEND", nil)), Partial},
		{"png, bytes behind", append(bigPNG(0x20), "more"...), Partial},
		{"png of many chunks", bigPNG(1 << 20), Complete},
		{"mp3 without Xing", join("\xff\xfb\x90\x00", make([]byte, 413)), Settling},
		{"mp3, tag only", join("ID3\x04\x00\x00", "\x00\x00\x00\x04", "abcd"), Partial},
		{"glb, BIN first", join("glTF", le32(2), le32(24), le32(4), "BIN\x00", "{}  "), Partial},
		{"flac, no audio", join("fLaC", "\x80\x00\x00\x02", "ab"), Partial},
		{"safetensors, no tensors", join(le32(2), le32(0), "{}"), Complete},
		{"safetensors, a byte too many", join(le32(2), le32(0), "{} "), Partial},
		{"safetensors, header cut", join(le32(9000), le32(0), `{"a":`), Partial},
		{"safetensors, offsets that overflow", join(le32(47), le32(0), `{"a":{"data_offsets":[0,9223372036854775807]}} `), Partial},
	} {
		if got := verdict(t, c.file, "file"); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Headers that promise more than there is must not be believed when memory is asked for.
func TestPromisesAreNotAllocated(t *testing.T) {
	for _, promise := range []string{
		"fLaC\x04\xff\xff\xff",
		"ID3\x04\x00\x00\x7f\x7f\x7f\x7f",
		pngMagic + "\xff\xff\xff\xfftEXt",
		"glTF\x02\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xffJSON{",
		"RIFF\xff\xff\xff\xffWEBPEXIF\xff\xff\xff\xff",
		"\xff\xff\xf0\x05\x00\x00\x00\x00{\"__metadata__\":{",
		"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xfe\x12\x54\xc3\x67\x01\xff\xff\xff\xff\xff\xff\xfe",
	} {
		b := []byte(promise)
		if got := allocated(func() { verdict(t, b, "x") }); got > 1<<20 {
			t.Errorf("judging %q took %d bytes", promise[:8], got)
		}
		got := allocated(func() { _, _ = Metadata(bytes.NewReader(b), int64(len(b)), "x") })
		if got > 1<<20 {
			t.Errorf("metadata of %q took %d bytes", promise[:8], got)
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
