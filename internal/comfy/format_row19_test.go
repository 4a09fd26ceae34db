package comfy

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	xtiff "golang.org/x/image/tiff"
)

// samples33 are files that ComfyUI 0.33.0 wrote: SaveImageAdvanced, SaveText, SaveVideo,
// SaveAudioAdvanced, Save3DAdvanced, SavePointCloud, SaveGLB, and what SplatToFile3D makes.
func samples33(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/samples33/*")
	if err != nil || len(paths) < 16 {
		t.Fatalf("samples: %d found, %v", len(paths), err)
	}
	files := map[string][]byte{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(p)] = b
	}
	return files
}

// made are files of formats that ComfyUI passes on or custom nodes write.
func made(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, name := range []string{"model.usdc", "0/texture.png"} {
		w, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = w.Write(bytes.Repeat([]byte(name), 20))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	files["a.usdz"] = bytes.Clone(out.Bytes())
	out.Reset()
	if err := xtiff.Encode(&out, picture(), &xtiff.Options{Compression: xtiff.Deflate}); err != nil {
		t.Fatal(err)
	}
	files["a.tiff"] = bytes.Clone(out.Bytes())
	out.Reset()
	if err := bmp.Encode(&out, picture()); err != nil {
		t.Fatal(err)
	}
	files["a.bmp"] = bytes.Clone(out.Bytes())
	files["binary.stl"] = join("solid by a tool", make([]byte, 65), le32(3), bytes.Repeat([]byte{7}, 150))
	files["text.stl"] = []byte("solid cube of mine\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\nendsolid cube of mine")
	files["faces.ply"] = join("ply\nformat binary_little_endian 1.0\ncomment from a tool\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"+
		"element face 2\nproperty list uchar int vertex_indices\nproperty uchar red\nend_header\n", make([]byte, 36),
		"\x03", make([]byte, 12), "\x09", "\x04", make([]byte, 16), "\x09")
	files["big.ply"] = join("ply\r\nformat binary_big_endian 1.0\r\nelement face 1\r\nproperty list ushort double x\r\nend_header\r\n\x00\x02", make([]byte, 16))
	files["a.fbx"] = join(fbxMagic, "\x1a\x00\xe8\x1c\x00\x00", make([]byte, 100), "\xf8\x5a\x8c\x6a\xde\xf5\xd9\x7e\xec\xe9\x0c\xe3\x75\x8f\x29\x0b")
	files["tiles.exr"] = tiledEXR()
	files["parts.exr"] = multipartEXR()
	files["gltf1.glb"] = join("glTF", le32(1), le32(24), le32(4), le32(0), "{}  ")
	return files
}

func exrAttribute(name, kind string, value ...any) []byte {
	b := join(value...)
	return join(name, "\x00", kind, "\x00", le32(len(b)), b)
}

func le64(n int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

// tiledEXR has 2 by 1 tiles, and their chunks in the reverse order.
func tiledEXR() []byte {
	head := join("\x76\x2f\x31\x01\x02\x02\x00\x00", exrAttribute("compression", "compression", "\x00"),
		exrAttribute("dataWindow", "box2i", le32(0), le32(0), le32(7), le32(3)), exrAttribute("tiles", "tiledesc", le32(4), le32(4), "\x00"), "\x00")
	chunk := join(make([]byte, 16), le32(6), "pixels")
	return join(head, le64(len(head)+16+len(chunk)), le64(len(head)+16), chunk, chunk)
}

// multipartEXR has two parts of one and two chunks, the second one deep.
func multipartEXR() []byte {
	part := func(n int) []byte { return join(exrAttribute("chunkCount", "int", le32(n)), "\x00") }
	head := join("\x76\x2f\x31\x01\x02\x10\x00\x00", part(1), part(2), "\x00")
	chunk := join(le32(0), le32(0), le32(3), "abc")
	at := len(head) + 24
	return join(head, le64(at), le64(at+len(chunk)), le64(at+2*len(chunk)), chunk, chunk, chunk)
}

// Row 19: these were known to be complete only after a quiet period of seconds.
func TestRow19FormatsTellTheirEnd(t *testing.T) {
	files := samples33(t)
	for name, b := range made(t) {
		files[name] = b
	}
	for name, b := range files {
		want, cut := Complete, Partial
		switch filepath.Ext(name) {
		case ".txt", ".csv", ".md":
			want, cut = Settling, Settling
		case ".json":
			cut = Settling // what is no JSON, SaveText writes too
		case ".fbx":
			cut = Unknown
		}
		if got := verdict(t, b, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		for n := 1; n < len(b); n++ {
			got := verdict(t, b[:n], name)
			switch {
			case got == Partial, got == cut:
			case filepath.Ext(name) == ".json" && got == Unknown: // it begins as an object
			case strings.HasPrefix(name, "text_") && cutRune(b[:n]) && got == Unknown:
			case name == "pc_00001.ply" && n >= len(b)-6 && got == Settling:
			case name == "text.stl" && n >= len(b)-len(" cube of mine") && got == Settling:
			default:
				t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(b), got)
			}
		}
		if got := verdict(t, make([]byte, len(b)), name); got == Complete || got == Settling {
			t.Errorf("%s of nothing but NUL: %v", name, got)
		}
	}
}

// Row 19: SaveImageAdvanced puts prompt and every key of extra_pnginfo into both formats,
// as its video and mesh nodes do.
func TestRow19MetadataOfTheNewFormats(t *testing.T) {
	for name, b := range samples33(t) {
		switch filepath.Ext(name) {
		case ".exr", ".png", ".mkv", ".webm", ".mp4", ".mp3", ".opus":
		case ".glb":
			if name == "s3d_00001.glb" { // a File3D is written as it is
				continue
			}
		default:
			continue
		}
		got := metadata(t, b, name)
		for key, want := range map[string]string{
			"qm":       `{"job":"abc","node":"9"}`,
			"workflow": `{"id":"wf-7","nodes":[],"title":"\u00dcn\u00ef \u56fe"}`,
		} {
			if got[key] == "" || compact(t, got[key]) != want {
				t.Errorf("%s: %s is %q", name, key, got[key])
			}
		}
		if _, err := ParsePrompt([]byte(got["prompt"]), Limits{}); err != nil {
			t.Errorf("%s: prompt: %v", name, err)
		}
	}
}

// Row 19: what no format tells, the way in which ComfyUI writes it does.
func TestRow19OneWrite(t *testing.T) {
	for _, c := range []struct {
		name string
		size int64
		want bool
	}{
		{"a.txt", 28, true}, {"a.CSV", 1, true}, {"a.md", 64 << 10, true}, {"a.md", 64<<10 + 1, false}, {"a.txt", 0, false},
		{"a.json", 100, true}, {"a.splat", 320, true}, {"a.mp3", 4000, true}, {"a.flac", 4000, true},
		{"a.png", 100, false}, {"a.webm", 100, false}, {"a.log", 100, false}, {"a", 100, false},
	} {
		if got := OneWrite(c.name, c.size); got != c.want {
			t.Errorf("%s of %d bytes: %v", c.name, c.size, got)
		}
	}
}

func TestRow19OddFormats(t *testing.T) {
	exr := samples33(t)["exr_00001.exr"]
	noTable := bytes.Clone(exr)
	clear(noTable[bytes.Index(exr, []byte("chromaticities\x00\x20"))+16+32+1:][:8])
	ply := "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nend_header\n"
	var gz bytes.Buffer
	z, _ := gzip.NewWriterLevel(&gz, gzip.BestSpeed)
	_, _ = z.Write(make([]byte, maxUnpacked+2))
	_ = z.Close()
	for _, c := range []struct {
		name string
		file []byte
		want Verdict
	}{
		{"open table.exr", noTable, Partial},
		{"behind.exr", join(exr, "x"), Settling},
		{"levels.exr", bytes.Replace(tiledEXR(), join(le32(4), le32(4), "\x00"), join(le32(4), le32(4), "\x01"), 1), Unknown},
		{"compression.exr", bytes.Replace(exr, []byte("compression\x00\x01\x00\x00\x00\x00"), []byte("compression\x00\x01\x00\x00\x00\x63"), 1), Unknown},
		{"open line.ply", []byte(ply + "1\n2"), Settling},
		{"lines.ply", []byte(ply + "1\n2\n"), Complete},
		{"more lines.ply", []byte(ply + "1\n2\n3\n"), Settling},
		{"fewer lines.ply", []byte(ply + "1\n"), Partial},
		{"odd.ply", []byte("ply\nformat cuneiform 1.0\nend_header\n"), Unknown},
		{"no end.ply", []byte("ply\n" + strings.Repeat("comment x\n", 10000)), Unknown},
		{"huge.ply", []byte("ply\nformat binary_little_endian 1.0\nelement vertex 9223372036854775807\nproperty double x\nend_header\n"), Partial},
		{"trailing.stl", join(make([]byte, 80), le32(1), make([]byte, 60)), Settling},
		{"plain.stl", []byte("solid\nfacet\nendsolid\n"), Complete},
		{"a.splat", make([]byte, 64), Settling},
		{"a.splat", make([]byte, 65), Partial},
		{"new.ksplat", join("\x01\x00\x00\x00\x01", make([]byte, 5200)), Unknown},
		{"bomb.spz", gz.Bytes(), Unknown},
		{"torch.pt", zip64(made(t)["a.usdz"]), Complete},
		{"torch cut.pt", zip64(made(t)["a.usdz"])[:len(made(t)["a.usdz"])+60], Partial},
		{"behind.gif", join(encoded(t, "gif"), "more"), Settling},
		{"comment.zip", join(made(t)["a.usdz"][:len(made(t)["a.usdz"])-2], "\x03\x00abc"), Complete},
		{"behind.jpg", join(encoded(t, "jpeg"), "more"), Settling},
		{"short.bmp", join("BM", le32(9), make([]byte, 8), le32(40), make([]byte, 40)), Settling},
		{"a.json", []byte(` [1, {"a": "]\\"}]` + "\n"), Complete},
		{"bom.json", []byte("\xef\xbb\xbf{}"), Complete},
		{"lines.json", []byte("{}\n{}\n"), Settling},
		{"no.json", []byte("no JSON {"), Settling},
		{"number.json", []byte("17"), Settling},
		{"hole.json", []byte("{\"a\": \"\x00\x00\x00\x00\"}"), Unknown},
		{"latin1.txt", []byte("caf\xe9"), Unknown},
		{"utf16.txt", []byte("\xff\xfea\x00"), Settling},
		{"hole.txt", join("text", make([]byte, 8192), strings.Repeat("text", 400)), Unknown},
		{"scene.gltf", []byte(`{"asset": {"version": "2.0"}}`), Complete},
		{"a.obj", []byte("v 0 0 0\n"), Settling},
	} {
		if got := verdict(t, c.file, c.name); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// zip64 is an archive with the end record of large files before its own, as PyTorch
// writes it into any.
func zip64(b []byte) []byte {
	end := len(b) - 22
	size, start := int(binary.LittleEndian.Uint32(b[end+12:])), int(binary.LittleEndian.Uint32(b[end+16:]))
	return join(b[:end], "PK\x06\x06", le64(44), make([]byte, 28), le64(size), le64(start), "PK\x06\x07", le32(0), le64(end), le32(1), b[end:])
}

// hostile are files of nothing but headers.
func hostile(size int) map[string][]byte {
	boxes := bytes.Repeat(mp4Box("free"), size/8)
	items := bytes.Repeat(join(be32(16), be32(1), be32(8), "data"), size/16)
	exr := join("\x76\x2f\x31\x01\x02\x00\x00\x00", exrAttribute("compression", "compression", "\x00"),
		exrAttribute("dataWindow", "box2i", le32(0), le32(0), le32(7), le32(maxEXRChunks-1)), "\x00")
	ebml := "\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"
	return map[string][]byte{
		"boxes.mp4":          join(mp4Box("ftyp", "isom\x00\x00\x02\x00"), mp4Box("mdat"), mp4Box("moov", boxes)),
		"tags.mp4":           join(mp4Box("ftyp", "isom\x00\x00\x02\x00"), mp4Box("mdat"), mp4Box("moov", mp4Box("meta", "\x00\x00\x00\x00", mp4Box("hdlr"), mp4Box("ilst", items)))),
		"elements.webm":      join(ebml, bytes.Repeat([]byte("\xec\x80"), size/2)),
		"tags.webm":          join(ebml, bytes.Repeat([]byte("\x12\x54\xc3\x67\x84\x73\x73\x81\x00"), size/9)),
		"nested.svg":         []byte(strings.Repeat("<svg>", size/11) + strings.Repeat("</svg>", size/11)),
		"metadata.svg":       []byte("<svg><metadata>" + strings.Repeat("<a>", size/3)),
		"chunks.png":         join(pngMagic, pngChunk("IHDR", make([]byte, 13)), bytes.Repeat(pngChunk("tEXt", []byte("a\x00")), size/14)),
		"chunks.webp":        riffFile("WEBP", bytes.Repeat(join("EXIF", le32(0)), size/8)),
		"attributes.exr":     join("\x76\x2f\x31\x01\x02\x00\x00\x00", bytes.Repeat(exrAttribute("a", "string"), size/13)),
		"chunks.exr":         join(exr, bytes.Repeat(le64(len(exr)+8*maxEXRChunks), maxEXRChunks), le32(0), le32(0), "x"),
		"blocks.gif":         join("GIF89a", make([]byte, 7), bytes.Repeat([]byte("\x21\x00\x00"), size/3)),
		"segments.jpg":       join("\xff\xd8", bytes.Repeat([]byte("\xff\xe1\x00\x02"), size/4)),
		"marks.jpg":          join("\xff\xd8\xff\xda\x00\x02", bytes.Repeat([]byte{0xff, 0}, size/2)),
		"pages.ogg":          bytes.Repeat(join("OggS", make([]byte, 23)), size/27),
		"header.safetensors": join(le32(size/7*7+2), le32(0), "{", strings.Repeat(`"a":{},`, size/7), "}"),
		"rows.ply":           join("ply\nformat binary_little_endian 1.0\nelement face 99999999\nproperty list uchar uchar x\nend_header\n", make([]byte, size)),
		"lines.ply":          join("ply\nformat ascii 1.0\nelement vertex 9\nproperty uchar x\nend_header\n", bytes.Repeat([]byte("\n"), size)),
		"words.ply":          []byte("ply\n" + strings.Repeat("property float x\n", size/17)),
		"entries.tiff":       join("II*\x00", le32(8), "\xff\xff", bytes.Repeat(join("\x11\x01\x04\x00", le32(1<<16), le32(8)), size/12)),
		"ends.zip":           join("PK\x03\x04", bytes.Repeat([]byte("PK\x05\x06"), size/4)),
		"open.json":          bytes.Repeat([]byte("["), size),
		"frames.flac":        join("fLaC\x80\x00\x00\x22", make([]byte, 7), "\x00\x00\x00", "\x00\x00\x00\x01", be32(99), make([]byte, 16), bytes.Repeat([]byte("\xff\xf8"), size/2)),
		"sections.ksplat":    join("\x00\x01\x00\x00\xff\x0f\x00\x00", make([]byte, size)),
	}
}

// Row 19: a hostile file costs bounded work: its parts are counted, and what is not
// counted is one pass over its bytes.
func TestRow19HostileFilesAreBounded(t *testing.T) {
	for name, b := range hostile(9 << 20) {
		s := &source{r: bytes.NewReader(b), size: int64(len(b))}
		judge(s, name)
		m := &source{r: bytes.NewReader(b), size: int64(len(b))}
		if f := sniff(b[:SniffLength]); f != nil && f.metadata != nil {
			f.metadata(m, &tags{values: map[string]string{}, room: maxMetadata})
		}
		if s.work > maxWork+8*partWork || m.work > maxWork+8*partWork {
			t.Errorf("%s: %d units of work, %d for metadata", name, s.work, m.work)
		}
	}
}
