package comfy

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// costly are files that cost a reader much which counts headers alone: what they say is
// to be unpacked, summed up, or looked at again and again.
func costly(t testing.TB, size int) map[string][]byte {
	t.Helper()
	var kinds []byte
	for i := range size / 8 {
		kinds = append(kinds, 0, 0, 0, 8, byte(33+i%90), byte(33+i/90%90), byte(33+i/8100%90), byte(33+i/729000%90))
	}
	var bomb, unpacked bytes.Buffer
	g := gzip.NewWriter(&bomb)
	_, err := io.CopyN(g, zeros{}, int64(25*size)) // over what is unpacked of a file at most
	check(t, err, g.Close())
	z := zlib.NewWriter(&unpacked)
	_, err = io.CopyN(z, zeros{}, maxMetadata+1)
	check(t, err, z.Close())
	text := "prompt:{" + strings.Repeat(" ", size/4)
	const entries = 100
	exif := join("II*\x00", le32(8), []byte{entries, 0}, bytes.Repeat(join("\x10\x01\x02\x00", le32(len(text)), le32(10+12*entries)), entries), text)
	objects := "prompt:" + strings.Repeat("{}", size/2)
	many := join("II*\x00", le32(8), []byte{1, 0}, "\x10\x01\x02\x00", le32(len(objects)), le32(22), objects)
	frame := "\xff\xf9\x10\x00\x05"
	frame += string([]byte{byte(crc(8, 0x07, []byte(frame)))})
	return map[string][]byte{
		"kinds.mp4":      join(mp4Box("ftyp", "isom\x00\x00\x02\x00"), kinds),
		"attributes.svg": []byte("<svg" + strings.Repeat(" a=''", size/5) + "></svg>"),
		"deep.svg":       []byte("<svg>" + strings.Repeat("<a>", size/7) + strings.Repeat("</a>", size/7) + "</svg>"),
		"texts.svg":      []byte("<svg>" + strings.Repeat("<a>&amp;</a><!-- - -->", size/22) + "</svg>"),
		"declared.svg":   []byte("<?xml?><!DOCTYPE svg" + strings.Repeat("<!a '>'", size/7)),
		"bomb.spz":       bomb.Bytes(),
		"unpacked.png":   join(pngMagic, bytes.Repeat(pngChunk("zTXt", join("k\x00\x00", unpacked.Bytes())), size/unpacked.Len())),
		"entries.webp":   riffFile("WEBP", riffChunk("EXIF", exif)),
		"objects.webp":   riffFile("WEBP", riffChunk("EXIF", many)),
		"loop.tiff":      join("II*\x00", le32(8), "\x00\x00", le32(8), make([]byte, size)),
		"frames.flac": join("fLaC\x80\x00\x00\x22", make([]byte, 7), "\x10\x00\x00", "\x00\x00\x00\x00", be32(197), make([]byte, 16),
			strings.Repeat(frame, size/len(frame))),
		"keys.safetensors": join(le32(size/2*9+2), le32(0), "{", strings.Repeat(`"a":[[]],`, size/2), "}"),
	}
}

func riffChunk(kind string, body []byte) []byte { return join(kind, le32(len(body)), body) }

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func check(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// perFile is the processor time that one look at a file may take. What else runs on the
// machine does not count.
const perFile = 500 * time.Millisecond

// cpuTime is what this process has taken.
func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // it fails for a bad address
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// looked judges a file and reads its metadata; false when that did not end in time.
func looked(b []byte, name string, patience time.Duration) (took time.Duration, v Verdict, ok bool) {
	start, ended := cpuTime(), make(chan Verdict, 1)
	go func() {
		v, _ := Whole(bytes.NewReader(b), int64(len(b)), name)
		_, _ = Metadata(bytes.NewReader(b), int64(len(b)), name)
		ended <- v
	}()
	select {
	case v := <-ended:
		return cpuTime() - start, v, true
	case <-time.After(patience):
		return patience, 0, false
	}
}

// TestLimitsRow10TimePerFile: whatever a share writer plants, one look at it takes well
// below a second. What was not looked at to its end is unknown, and so never taken for
// complete nor given up.
func TestLimitsRow10TimePerFile(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes large files")
	}
	size := 11 << 20
	if raceDetector {
		size = 1 << 20 // what is counted is counted alike
	}
	for _, files := range []map[string][]byte{hostile(size), costly(t, size)} {
		for name, b := range files {
			took, v, ok := looked(b, name, 20*time.Second)
			if !ok || took > perFile && !raceDetector {
				t.Errorf("%s, %d MB: a look takes %v", name, len(b)>>20, took.Round(time.Millisecond))
			}
			t.Logf("%s, %d MB: %v in %v", name, len(b)>>20, v, took.Round(time.Millisecond))
		}
	}
}

// A file whose parts are too many is unknown, also where the beginning says that
// something is missing.
func TestLimitsRow10BeyondTheBoundIsUnknown(t *testing.T) {
	if raceDetector {
		t.Skip("one goroutine, and a minute of it")
	}
	const size = 32 << 20
	for name, b := range map[string][]byte{
		"a.mp4": join(mp4Box("ftyp", "isom\x00\x00\x02\x00"), bytes.Repeat(mp4Box("free"), size/8), mp4Box("mdat"), mp4Box("moov")),
		"b.mp4": join(mp4Box("ftyp", "isom\x00\x00\x02\x00"), bytes.Repeat(mp4Box("free"), size/8), "\x00\x00"),
		"a.svg": []byte("<svg>" + strings.Repeat("<a/>", size/4) + "</svg>"),
		"b.svg": []byte("<svg>" + strings.Repeat("<a/>", size/4)),
		"a.png": join(pngMagic, pngChunk("IHDR", make([]byte, 13)), bytes.Repeat(pngChunk("tEXt", []byte("a\x00")), size/14), pngChunk("IDAT", nil), pngChunk("IEND", nil)),
		"a.ply": join(fmt.Sprintf("ply\nformat binary_little_endian 1.0\nelement face %d\nproperty list uchar uchar x\nend_header\n", size), make([]byte, size)),
		"a.jpg": join("\xff\xd8\xff\xda\x00\x02", bytes.Repeat([]byte{0xff, 0}, size/2), "\xff\xd9"),
		"a.spz": gzipped(t, 32<<20),
	} {
		if v, err := Whole(bytes.NewReader(b), int64(len(b)), name); v != Unknown || err != nil {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

func gzipped(t testing.TB, n int64) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.CopyN(z, zeros{}, n)
	check(t, err, z.Close())
	return b.Bytes()
}

// judgesSoon is the body of a fuzz target: one look at up to 1 MB takes at most half a
// second.
func judgesSoon(t *testing.T, b []byte, name string) {
	if len(b) > 1<<20 {
		t.Skip()
	}
	if took, _, ok := looked(b, name, 20*time.Second); !ok || took > perFile && !raceDetector {
		t.Errorf("%d bytes take %v", len(b), took)
	}
}

func FuzzMP4(f *testing.F) {
	for _, files := range []map[string][]byte{samples(f), hostile(2000)} {
		for name, b := range files {
			if strings.HasSuffix(name, ".mp4") && len(b) < 6000 {
				f.Add(b)
			}
		}
	}
	f.Add(join(mp4Box("ftyp", "isom\x00\x00\x02\x00"), mp4Box("mdat"), mp4Box("moov", mp4Box("udta", mp4Box("meta", be32(0), mp4Box("hdlr"),
		mp4Box("keys", be32(0), be32(1), mp4Box("mdta", "prompt")), mp4Box("ilst", mp4Box("\x00\x00\x00\x01", mp4Box("data", be32(1), be32(0), "{}")))))),
		binary.BigEndian.AppendUint64([]byte("\x00\x00\x00\x01free"), 1<<40)))
	f.Fuzz(func(t *testing.T, b []byte) { judgesSoon(t, b, "x.mp4") })
}

func FuzzSVG(f *testing.F) {
	for _, s := range []string{"<svg a='b' c=\"</svg>\"><!-- <svg> --><![CDATA[</svg>]]></svg>", "<?xml version='1.0'?><!DOCTYPE svg [ <!ENTITY a \"b\"> <!-- don't --> ]>\n<svg:svg/>",
		`<svg><metadata><![CDATA[{"prompt":"{}"}]]></metadata><g/><br></svg>`, "<svg><metadata>{&quot;a&quot;:<!-- -->1}</metadata>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { judgesSoon(t, b, "x.svg") })
}

func FuzzWebM(f *testing.F) {
	for _, files := range []map[string][]byte{samples(f), hostile(2000)} {
		for name, b := range files {
			if strings.HasSuffix(name, ".webm") && len(b) < 6000 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { judgesSoon(t, b, "x.webm") })
}
