package share

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/comfyume/qmtui/internal/job"
)

// Row 22: a file is found whose name is stored in the other Unicode form, part by part,
// and staged under the name that the prompt has.
func TestRow22InputInTheOtherUnicodeForm(t *testing.T) {
	nfc, nfd := norm.NFC.String, norm.NFD.String
	for _, c := range []struct{ name, stored, asked string }{
		{"composed", nfc("größe.png"), nfd("größe.png")},
		{"decomposed", nfd("größe.png"), nfc("größe.png")},
		{"Hangul", nfd("그림.png"), nfc("그림.png")},
		{"folder and file", nfd("é") + "/" + nfc("è.png"), nfc("é") + "/" + nfd("è.png")},
		{"only the folder", nfd("é") + "/a.png", nfc("é") + "/a.png"},
		{"as it is", nfc("é.png"), nfc("é.png")},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, inputs, uploads := carrying(t)
			file := filepath.Join(uploads, "user001", filepath.FromSlash(c.stored))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte("pixels"), 0o644); err != nil {
				t.Fatal(err)
			}
			found, err := d.share().Take(context.Background(), "user001", []job.Input{loads(c.asked)})
			if err != nil || len(found) != 1 || found[0].Path != c.asked {
				t.Fatalf("found %+v, %v", found, err)
			}
			wantTree(t, inputs, map[string]string{"qm/user001/" + sha([]byte("pixels")) + "/input/" + c.asked: "pixels"})
		})
	}
}

// Row 22: an exact name comes first, other letters are another file, and nothing leads
// out of the user's folder.
func TestRow22OtherFormIsOnlyOfTheSameLetters(t *testing.T) {
	d, _, uploads := carrying(t)
	home := filepath.Join(uploads, "user001")
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{norm.NFC.String("é.png"): "one", norm.NFD.String("é.png"): "two", "e.png": "three"} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(uploads, filepath.Join(home, norm.NFD.String("ü"))); err != nil {
		t.Fatal(err)
	}
	s := d.share()
	for asked, want := range map[string]string{norm.NFC.String("é.png"): "one", norm.NFD.String("é.png"): "two", "e.png": "three"} {
		found, err := s.Take(context.Background(), "user001", []job.Input{loads(asked)})
		if err != nil || len(found) != 1 || found[0].Sum != sha([]byte(want)) {
			t.Errorf("%q: %+v, %v", asked, found, err)
		}
	}
	for _, asked := range []string{"è.png", "E.png", norm.NFC.String("ü") + "/user001/e.png", "é/e.png"} {
		if found, err := s.Take(context.Background(), "user001", []job.Input{loads(asked)}); err == nil {
			t.Errorf("%q: found %+v", asked, found)
		}
	}
}
