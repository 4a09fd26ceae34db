package comfy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// samples are files that ComfyUI 0.8.0 wrote, by name.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/samples/*")
	if err != nil || len(paths) < 20 {
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

func verdict(t testing.TB, b []byte, name string) Verdict {
	t.Helper()
	v, err := Whole(bytes.NewReader(b), int64(len(b)), name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

func TestSamplesAreWhole(t *testing.T) {
	for name, b := range samples(t) {
		want := Complete
		if got := verdict(t, b, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if got := verdict(t, b, "no-extension"); got != want {
			t.Errorf("%s without its extension: %v, want %v", name, got, want)
		}
	}
}

func TestNoPrefixIsWhole(t *testing.T) {
	for name, b := range samples(t) {
		for n := range b {
			if got := verdict(t, b[:n], name); got != Partial {
				t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(b), got)
			}
		}
	}
}

// What SaveWEBM, an interrupted page cache or a preallocating writer shows: the right
// length, and NUL where the data will be.
func TestHolesAreNotWhole(t *testing.T) {
	for name, b := range samples(t) {
		ext := filepath.Ext(name)
		if ext != ".png" && ext != ".opus" {
			continue
		}
		for at := 0; at < len(b); at += max(1, len(b)/97) {
			holed := bytes.Clone(b)
			clear(holed[at:min(at+16, len(b))])
			if bytes.Equal(holed, b) {
				continue
			}
			if got := verdict(t, holed, name); got == Complete || got == Settling {
				t.Errorf("%s with a hole at %d: %v", name, at, got)
			}
		}
	}
}

func TestEmptyTailIsNotWhole(t *testing.T) {
	for name, b := range samples(t) {
		if strings.HasSuffix(name, ".flac") || strings.HasSuffix(name, ".mp3") || strings.HasSuffix(name, ".latent") {
			continue // no mark at the end, or data that may be NUL
		}
		if strings.HasSuffix(name, ".webp") || strings.HasSuffix(name, ".glb") || strings.Contains(name, "mp4") {
			continue // metadata or vertices at the end; their lengths are checked
		}
		holed := bytes.Clone(b)
		clear(holed[len(b)/2:])
		if got := verdict(t, holed, name); got != Partial {
			t.Errorf("%s with an empty second half: %v", name, got)
		}
	}
}

func TestOnlyNULIsNotWhole(t *testing.T) {
	for name, b := range samples(t) {
		if got := verdict(t, make([]byte, len(b)), name); got != Partial {
			t.Errorf("%s of nothing but NUL: %v", name, got)
		}
	}
}

func TestWholeByExtension(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          Verdict
	}{
		{"a.png", "", Partial},
		{"a.txt", "", Unknown},
		{"a.txt", "a caption", Settling},
		{"a.txt", "RIFF is how this text begins, but it is none of those files at all, just words.", Settling},
		{"a.txt", "GIF89a is how this text begins", Settling},
		{"a.xyz", "RIFF is how this text begins, but it is none of those files at all, just words.", Unknown},
		{"a.pkl", "\x80\x04\x95", Unknown},
		{"a.png", "\x89PNG", Partial},
		{"a.PNG", "\x89PNG", Partial},
		{"a.png", strings.Repeat("some other format that only borrows the name ", 3), Unknown},
		{"a.mp4", "\x00\x00", Partial},
		{"a", "\x00\x00", Unknown},
		{"a.svg", "<svg><svg></svg>", Partial},
		{"a.svg", "<svg><svg></svg></svg>\n", Complete},
		{"a.svg", "<svg/>", Complete},
		{"a.svg", "<?xml version='1.0'?>\n<svg>\x00</svg>", Partial},
		{"a.svg", "<?xml version='1.0'?>\n<svg>", Partial},
		{"a.xml", "<?xml version='1.0'?><x></x>", Unknown},
		{"a.svg", "<svg><![CDATA[</svg>", Partial},
		{"a.svg", "<svg><br></svg>", Complete},
		{"a.svg", "<svg><?php & ]]> <!- - </svg>", Partial},
		{"a.svg", "<svg>a & b < c</svg>", Settling},
	} {
		if got := verdict(t, []byte(c.content), c.name); got != c.want {
			t.Errorf("%s %.20q: %v, want %v", c.name, c.content, got, c.want)
		}
	}
}

var errStale = errors.New("stale file handle")

type broken struct {
	io.ReaderAt
	from int64
}

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from {
		return 0, errStale
	}
	return b.ReaderAt.ReadAt(p, off)
}

func TestWholeReportsTheReader(t *testing.T) {
	for name, b := range samples(t) {
		size := int64(len(b))
		if v, err := Whole(bytes.NewReader(b[:len(b)/2]), size, name); v == Complete || err != nil {
			t.Errorf("%s, shorter than its size: %v, %v", name, v, err)
		}
		failing := broken{bytes.NewReader(b), 64}
		if v, err := Whole(failing, size, name); v != Partial || !errors.Is(err, errStale) {
			t.Errorf("%s, failing: %v, %v", name, v, err)
		}
		if _, err := Metadata(failing, size, name); name[0] != 'l' && !errors.Is(err, errStale) {
			t.Errorf("metadata of %s, failing: %v", name, err)
		}
	}
}

func FuzzWhole(f *testing.F) {
	for name, b := range samples(f) {
		if len(b) < 2500 {
			f.Add(b, filepath.Ext(name))
		}
	}
	for _, files := range []map[string][]byte{samples33(f), made(f), hostile(2000)} {
		for name, b := range files {
			if len(b) < 6000 {
				f.Add(b, filepath.Ext(name))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, ext string) {
		size := int64(len(b))
		begun := cpuTime()
		defer func() {
			if took := cpuTime() - begun; size <= 1<<20 && took > perFile && !raceDetector {
				t.Errorf("%d bytes took %v", size, took)
			}
		}()
		v, err := Whole(bytes.NewReader(b), size, "x"+ext)
		if err != nil || (size == 0 && v != emptyVerdict("x"+ext)) || v < Partial || v > Unknown {
			t.Fatalf("%v, %v", v, err)
		}
		values, err := Metadata(bytes.NewReader(b), size, "x"+ext)
		if err != nil || values == nil {
			t.Fatalf("metadata: %v, %v", values, err)
		}
	})
}

func BenchmarkWholePNG(b *testing.B) {
	file := bigPNG(200 << 20)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if v, _ := Whole(bytes.NewReader(file), int64(len(file)), "a.png"); v != Complete {
			b.Fatal(v)
		}
	}
}
