package comfy

import (
	"bytes"
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
		if strings.HasSuffix(name, ".flac") {
			want = Settling
		}
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
			if got := verdict(t, b[:n], name); got == Complete || got == Unknown {
				t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(b), got)
			}
		}
	}
}
