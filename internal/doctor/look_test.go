package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/comfy"
)

// TestFreeBytes compares the header's word with bbolt's own, while the
// database is open.
func TestFreeBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fill(t, db, 2000)
	drain(t, db)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := freeBytes(f)
	want := int64(db.Stats().FreeAlloc)
	if err != nil || want < 1<<20 || got < want-1<<16 || got > want+1<<16 {
		t.Errorf("free: %d, %v; bbolt says %d", got, err, want)
	}
	if o := lookDatabase(path); o.Broken != "" || o.Free != got || o.Size == 0 {
		t.Errorf("it looks like %+v", o)
	}
}

func fill(t *testing.T, db *bolt.DB, n int) {
	t.Helper()
	err := db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("b"))
		for i := 0; err == nil && i < n; i++ {
			err = b.Put([]byte{byte(i >> 8), byte(i)}, make([]byte, 1000))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func drain(t *testing.T, db *bolt.DB) {
	t.Helper()
	for _, step := range []func(*bolt.Tx) error{
		func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("b")) },
		func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("c")); return err },
	} {
		if err := db.Update(step); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzFreeBytes: the header may be anything.
func FuzzFreeBytes(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 8192))
	f.Fuzz(func(t *testing.T, file []byte) {
		if n, err := freeBytes(strings.NewReader(string(file))); err != nil && n != -1 {
			t.Errorf("%d and %v", n, err)
		}
	})
}

func TestPasswordLine(t *testing.T) {
	hash := "$2y$10$" + strings.Repeat("a", 53)
	for line, want := range map[string]string{
		"": "", "# a note": "", "user001:" + hash: "", "user001:" + hash + "\r": "",
		"user001": "no colon", "a b:" + hash: "not a user name",
		"user001:$apr1$abc$def": "not bcrypt", "user001:secret": "not bcrypt",
	} {
		_, wrong := passwordLine(line)
		if (want == "") != (wrong == "") || !strings.Contains(wrong, want) {
			t.Errorf("%q: %q, want %q", line, wrong, want)
		}
		if strings.Contains(wrong, "secret") {
			t.Errorf("%q is shown", line)
		}
	}
}

// TestNeeds reads what prompts name, and both forms of choices.
func TestNeeds(t *testing.T) {
	n := needsOf(map[string][]byte{
		"a": []byte(`{"1":{"class_type":"UNETLoader","inputs":{"unet_name":"wan.safetensors","weight_dtype":"default"}},"2":{"class_type":"VAELoader","inputs":{"vae_name":"ae.sft"}},"3":{"class_type":"SaveGLB","inputs":{}}}`),
		"b": []byte(`not a prompt`),
	})
	if n.prompts != 1 || len(n.models) != 2 {
		t.Fatalf("needs %+v", n)
	}
	for answer, want := range map[string]string{
		`{"UNETLoader":{"input":{"required":{"unet_name":[["wan.safetensors"]]}}},"VAELoader":{"input":{"required":{"vae_name":["COMBO",{"options":["ae.sft"]}]}}},"SaveGLB":{}}`: "|",
		`{"UNETLoader":{"input":{"required":{"unet_name":[[]]}}},"VAELoader":{"input":{"required":{"vae_name":["COMBO",{"options":["x"]}]}}}}`:                                    "SaveGLB|ae.sft,wan.safetensors",
		`{"UNETLoader":{"input":{"required":{"unet_name":["STRING",{}]}}},"VAELoader":7,"SaveGLB":{}}`:                                                                            "|",
	} {
		info, err := comfy.ParseObjectInfo([]byte(answer))
		if err != nil {
			t.Fatal(err)
		}
		classes, models := n.missing(info)
		if got := strings.Join(classes, ",") + "|" + strings.Join(models, ","); got != want {
			t.Errorf("%s: missing %s, want %s", answer, got, want)
		}
	}
}
