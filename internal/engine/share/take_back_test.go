package share

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/comfyume/qmtui/internal/job"
)

// given delivers a file and returns how.
func given(t *testing.T, d *disks, s *Share) (job.Transfer, string, []byte) {
	t.Helper()
	b := picture(t, 1)
	d.write(string(source("cat_00001_.png")), b)
	tr := transfer("cat_00001_.png", "a/cat_00001_.png")
	r, err := s.Copy(t.Context(), tr)
	if err != nil {
		t.Fatal(err)
	}
	return tr, r.Checksum, b
}

func TestTakeBack(t *testing.T) {
	for name, c := range map[string]struct {
		change func(d *disks, b []byte) error
		want   string
		stays  bool // something at the place of delivery
	}{
		"our own file":       {func(*disks, []byte) error { return nil }, "", false},
		"gone":               {func(d *disks, _ []byte) error { return os.Remove(d.user("a/cat_00001_.png")) }, "", false},
		"folder gone":        {func(d *disks, _ []byte) error { return os.RemoveAll(d.user("a")) }, "", false},
		"changed":            {func(d *disks, b []byte) error { return os.WriteFile(d.user("a/cat_00001_.png"), append(b, 0), 0o644) }, "not_taken_back", true},
		"a folder":           {func(d *disks, _ []byte) error { return replaced(d, func(p string) error { return os.Mkdir(p, 0o755) }) }, "not_taken_back", true},
		"a link to the same": {func(d *disks, b []byte) error { return linked(d, b) }, "not_taken_back", true},
		"source gone": {func(d *disks, _ []byte) error {
			return os.Remove(filepath.Join(d.outputs, string(source("cat_00001_.png"))))
		}, "not_taken_back", true},
		"source changed": {func(d *disks, b []byte) error {
			return os.WriteFile(filepath.Join(d.outputs, string(source("cat_00001_.png"))), b[1:], 0o644)
		}, "not_taken_back", true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisks(t)
			s := d.share()
			tr, sum, b := given(t, d, s)
			if err := c.change(d, b); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := s.TakeBack(t.Context(), tr, sum); code(err) != c.want {
					t.Fatalf("%v, want %q", err, c.want)
				}
			}
			if _, err := os.Lstat(d.user(tr.Dest)); (err == nil) != c.stays {
				t.Errorf("at the place of delivery: %v", err)
			}
			if parts, _ := filepath.Glob(d.user("a/.*")); len(parts) > 0 {
				t.Errorf("left behind: %q", parts)
			}
		})
	}
}

func replaced(d *disks, by func(string) error) error {
	p := d.user("a/cat_00001_.png")
	if err := os.Remove(p); err != nil {
		return err
	}
	return by(p)
}

func linked(d *disks, b []byte) error {
	if err := os.WriteFile(d.user("a/other"), b, 0o644); err != nil {
		return err
	}
	return replaced(d, func(p string) error { return os.Symlink("other", p) })
}

// Somebody puts another file in the place after the bytes were compared: that
// one stays, under its own name.
func TestTakeBackLosesARace(t *testing.T) {
	d := newDisks(t)
	s := d.share()
	tr, sum, _ := given(t, d, s)
	s.step = func(name string) error {
		if name != "remove" {
			return nil
		}
		return replaced(d, func(p string) error { return os.WriteFile(p, []byte("mine"), 0o644) })
	}
	if err := s.TakeBack(t.Context(), tr, sum); code(err) != "not_taken_back" {
		t.Fatal(err)
	}
	d.only(map[string][]byte{tr.Dest: []byte("mine")})
}

// Cut short anywhere, the same call ends with the file gone.
func TestTakeBackCutShort(t *testing.T) {
	cut := errors.New("cut")
	for _, at := range []string{"check", "source", "stale", "remove"} {
		d := newDisks(t)
		s := d.share()
		tr, sum, _ := given(t, d, s)
		s.step = func(name string) error {
			if name == at {
				return cut
			}
			return nil
		}
		if err := s.TakeBack(t.Context(), tr, sum); err == nil {
			t.Errorf("%s: no error", at)
		}
		s.step = nil
		if at == "remove" { // died between the two steps of it
			if err := os.Rename(d.user(tr.Dest), d.user("a/"+temporaryName(tr.Output))); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.TakeBack(t.Context(), tr, sum); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		d.only(nil)
	}
}

func TestOpenSource(t *testing.T) {
	d := newDisks(t)
	d.write("stray/cat.png", []byte("cat"))
	if err := os.Symlink("cat.png", filepath.Join(d.outputs, "stray/link.png")); err != nil {
		t.Fatal(err)
	}
	s := d.share()
	f, err := s.OpenSource("stray/cat.png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "cat" {
		t.Errorf("%q, %v", b, err)
	}
	for p, want := range map[job.Path]string{"stray/link.png": "hostile_source", "stray": "hostile_source", "../users/x": "hostile_source", "gone.png": "source_vanished"} {
		if _, err := s.OpenSource(p); code(err) != want {
			t.Errorf("%s: %v, want %s", p, err, want)
		}
	}
}
