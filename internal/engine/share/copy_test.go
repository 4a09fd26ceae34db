package share

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cespare/xxhash/v2"
)

func (d *disks) user(path string) string { return filepath.Join(d.users, "user001", path) }

// only fails unless exactly these files, by path, stand below the user's folder.
func (d *disks) only(want map[string][]byte) {
	d.t.Helper()
	got := map[string][]byte{}
	err := filepath.WalkDir(d.users, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(filepath.Join(d.users, "user001"), p)
		got[rel], err = os.ReadFile(p)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	for path, b := range want {
		if !bytes.Equal(got[path], b) {
			d.t.Errorf("%s: %d bytes, want %d", path, len(got[path]), len(b))
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			d.t.Errorf("%s should not be there", path)
		}
	}
}

func TestCopy(t *testing.T) {
	d := newDisks(t)
	b := picture(t, 1)
	d.write(string(source("video/cat_00001_.png")), b)
	s := d.share()
	tr := transfer("video/cat_00001_.png", "")
	dest, err := choose(t, s, tr)
	if err != nil || dest != "video/cat_00001_.png" {
		t.Fatalf("chose %q, %v", dest, err)
	}
	tr.Dest = dest
	r, err := s.Copy(t.Context(), tr)
	if err != nil {
		t.Fatal(err)
	}
	if r.Size != int64(len(b)) || r.Repeated || r.Checksum != checksumOf(b) {
		t.Errorf("receipt %+v", r)
	}
	d.only(map[string][]byte{dest: b})
	again, err := s.Copy(t.Context(), tr)
	if r.Repeated = true; err != nil || again != r {
		t.Errorf("again: %+v, %v", again, err)
	}
	st, err := os.Stat(d.user(dest))
	if err != nil || st.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

func checksumOf(b []byte) string { return fmt.Sprintf("xxh64:%016x", xxhash.Sum64(b)) }
