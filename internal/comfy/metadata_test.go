package comfy

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

func metadata(t testing.TB, b []byte, name string) map[string]string {
	t.Helper()
	values, err := Metadata(bytes.NewReader(b), int64(len(b)), name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return values
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(text)); err != nil {
		t.Fatalf("not JSON: %q: %v", text, err)
	}
	return out.String()
}

// The prompts of these runs carried workflow, qm and third in extra_pnginfo
// (transcripts 07-metadata).
func TestMetadataOfSamples(t *testing.T) {
	others := []string{"png_no_extra", "png_badkey_long", "png_prompt_key_override"}
	for name, b := range samples(t) {
		label, _, _ := strings.Cut(name, "__")
		if slices.Contains(others, label) {
			continue
		}
		got := metadata(t, b, name)
		for key, want := range map[string]string{
			"qm":       `{"job":"abc","node":"9"}`,
			"third":    `["x",1,null]`,
			"workflow": `{"id":"wf-7","nodes":[],"title":"\u00dcn\u00ef \u56fe"}`,
		} {
			if compact(t, got[key]) != want {
				t.Errorf("%s: %s is %q", name, key, got[key])
			}
		}
		if _, err := ParsePrompt([]byte(got["prompt"]), Limits{}); err != nil {
			t.Errorf("%s: prompt: %v", name, err)
		}
	}
}

func TestMetadataOfOddSamples(t *testing.T) {
	files := samples(t)
	got := metadata(t, files["png_no_extra__png_no_00001_.png"], "a.png")
	if keys := slices.Collect(maps.Keys(got)); !slices.Equal(keys, []string{"prompt"}) {
		t.Errorf("no extra_pnginfo: %v", keys)
	}
	got = metadata(t, files["png_badkey_long__lkey_00001_.png"], "a.png")
	if got[strings.Repeat("k", 100)] != `{"a": 1}` {
		t.Errorf("a key of 100 characters: %v", got)
	}
	got = metadata(t, files["png_prompt_key_override__okey_00001_.png"], "a.png")
	if got["prompt"] != `"OVERRIDE"` {
		t.Errorf("a user's own prompt key: %v", got)
	}
}

// Half a file has some of its metadata, or none, and never an error.
func TestMetadataOfPrefixes(t *testing.T) {
	for name, b := range samples(t) {
		whole := metadata(t, b, name)
		for n := 0; n < len(b); n += 7 {
			for key, value := range metadata(t, b[:n], name) {
				if whole[key] != value && key != "prompt" {
					t.Fatalf("%s cut to %d: %s is %q", name, n, key, value)
				}
			}
		}
	}
}

func deflated(t *testing.T, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestMetadataOfPNGChunks(t *testing.T) {
	file := join(pngMagic,
		pngChunk("IHDR", make([]byte, 13)),
		pngChunk("zTXt", join("packed\x00\x00", deflated(t, []byte(`{"z": 1}`)))),
		pngChunk("iTXt", join("plain\x00\x00\x00en\x00Klartext\x00", `"図"`)),
		pngChunk("iTXt", join("both\x00\x01\x00\x00\x00", deflated(t, []byte(`"図"`)))),
		pngChunk("tEXt", []byte("latin\x00\xfc")),
		pngChunk("tEXt", []byte("nokey")),
		pngChunk("tEXt", []byte("\x00nokey")),
		pngChunk("zTXt", []byte("broken\x00\x00????")),
		pngChunk("zTXt", join("bomb\x00\x00", deflated(t, make([]byte, maxMetadata+1)))),
		pngChunk("iTXt", []byte("short\x00")),
		pngChunk("IEND", nil))
	want := map[string]string{
		"packed": `{"z": 1}`, "plain": `"図"`, "both": `"図"`, "latin": "ü", "broken": "", "bomb": "",
	}
	if got := metadata(t, file, "a.png"); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func utf16le(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func TestMetadataOfMP3Encodings(t *testing.T) {
	frame := func(body []byte) []byte { return join("TXXX", be32(len(body)), "\x00\x00", body) }
	frames := join(
		frame(join("\x01", utf16le("wide"), "\x00\x00", utf16le(`"図"`))),
		frame([]byte("\x00latin\x00\xfc")),
		frame([]byte("\x03utf8\x00\"図\"\x00")),
		frame(nil))
	file := join("ID3\x03\x00\x00", []byte{0, 0, byte(len(frames) >> 7), byte(len(frames) & 0x7f)}, frames, "\xff\xfb\x90\x00")
	want := map[string]string{"wide": `"図"`, "latin": "ü", "utf8": `"図"`}
	if got := metadata(t, file, "a.mp3"); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A comment packet longer than a page goes on in the next one.
func TestMetadataOfOpusAcrossPages(t *testing.T) {
	long := `"` + strings.Repeat("w", 3*65025) + `"`
	comments := join("OpusTags", le32(3), "lav", le32(2),
		le32(len("workflow=")+len(long)), "workflow="+long, le32(len(`qm={}`)), `qm={}`)
	file := oggPages([]byte("OpusHead"), comments, []byte("audio"))
	if got := verdict(t, file, "a.opus"); got != Complete {
		t.Fatalf("the test's own file: %v", got)
	}
	got := metadata(t, file, "a.opus")
	if got["workflow"] != long || got["qm"] != "{}" {
		t.Errorf("workflow of %d bytes, qm %q", len(got["workflow"]), got["qm"])
	}
}

// oggPages lays each packet on pages of its own.
func oggPages(packets ...[]byte) []byte {
	var out []byte
	for i, packet := range packets {
		lengths := append(bytes.Repeat([]byte{255}, len(packet)/255), byte(len(packet)%255))
		for len(lengths) > 0 {
			n := min(255, len(lengths))
			size := min(255*n, len(packet))
			flags := byte(0)
			if len(out) == 0 {
				flags |= oggBegin
			}
			if i == len(packets)-1 && n == len(lengths) {
				flags |= oggEnd
			}
			page := join("OggS\x00", []byte{flags}, make([]byte, 8), le32(7), le32(0), le32(0), []byte{byte(n)}, lengths[:n], packet[:size])
			binary.LittleEndian.PutUint32(page[22:], oggSum(0, page))
			out, lengths, packet = append(out, page...), lengths[n:], packet[size:]
		}
	}
	return out
}

func TestMetadataOfVHSVideo(t *testing.T) {
	data := mp4Box("data", "\x00\x00\x00\x01\x00\x00\x00\x00", `{"prompt":"{}"}`)
	comment := join(be32(len(data)+8), "\xa9cmt", data)
	hdlr := mp4Box("hdlr", "\x00\x00\x00\x00\x00\x00\x00\x00mdir", make([]byte, 13))
	iso := mp4Box("moov", mp4Box("udta", mp4Box("meta", "\x00\x00\x00\x00", hdlr, mp4Box("ilst", comment))))
	quicktime := mp4Box("moov", mp4Box("meta", hdlr, mp4Box("ilst", comment)))
	for _, moov := range [][]byte{iso, quicktime} {
		file := join(mp4Box("ftyp", "isom"), mp4Box("mdat", "frames"), moov)
		if got := metadata(t, file, "a.mp4"); got["comment"] != `{"prompt":"{}"}` {
			t.Errorf("got %q", got)
		}
	}
}

func TestMetadataIsBounded(t *testing.T) {
	var file []byte
	half := strings.Repeat("x", maxMetadata/2-1000)
	for _, key := range []string{"a", "b", "c"} {
		file = append(file, pngChunk("tEXt", []byte(key+"\x00"+half))...)
	}
	file = join(pngMagic, file, pngChunk("tEXt", []byte("d\x00small")))
	got := metadata(t, file, "a.png")
	if len(got) != 3 || got["c"] != "" || got["d"] != "small" {
		t.Errorf("%d keys, c of %d bytes, d %q", len(got), len(got["c"]), got["d"])
	}
}

func TestNoMetadata(t *testing.T) {
	for _, file := range []string{"", "a caption", "\xff\xd8\xff\xd9", "II*\x00", "RIFF\x04\x00\x00\x00WEBP"} {
		if got := metadata(t, []byte(file), "a"); len(got) != 0 {
			t.Errorf("%q: %v", file, got)
		}
	}
}

// An EXIF date is "2026:01:02 ...", which is no "key:json".
func TestForeignEXIFIsNotMetadata(t *testing.T) {
	entry := func(tag, n, at int) []byte {
		return join([]byte{byte(tag >> 8), byte(tag), 0, 2}, be32(n), be32(at))
	}
	date, ours := "2026:01:02 03:04:05\x00", "qm:{\"v\": NaN}\x00"
	tiff := join("MM\x00*", be32(8), "\x00\x03", entry(0x132, len(date), 50), entry(0x10e, len(ours), 50+len(date)),
		entry(0x10d, 0x7fffffff, 0x7fffffff), be32(0), date, ours)
	got := metadata(t, riffFile("WEBP", "EXIF", le32(len(tiff)), tiff, strings.Repeat("\x00", len(tiff)%2)), "a.webp")
	if want := map[string]string{"qm": `{"v": NaN}`}; !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
