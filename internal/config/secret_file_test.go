package config

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestSecretFileIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "key")
		write := func(text string, mode os.FileMode) {
			_ = os.Remove(path)
			if err := os.WriteFile(path, []byte(text), mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second) // fake time: see testing/synctest
		}
		write("first", 0o600)
		if NewSecretFile(path, "another") != nil || NewSecretFile("", "first") != nil {
			t.Error("a secret from elsewhere is taken for the file's")
		}
		f := NewSecretFile(path, "first")
		for _, c := range []struct {
			text string
			mode os.FileMode
			want Secret
		}{{"second\n", 0o600, "second"}, {"", 0o600, "second"}, {"two\nlines", 0o600, "second"}, {"everybody's", 0o666, "second"}, {"third", 0o640, "third"}} {
			if write(c.text, c.mode); f.Now() != c.want {
				t.Errorf("with %q: %q, want %q", c.text, f.Now().Reveal(), c.want.Reveal())
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if got := f.Now(); got != "third" {
			t.Errorf("without the file: %q", got.Reveal())
		}
	})
}
