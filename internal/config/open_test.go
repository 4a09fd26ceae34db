package config

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLimitsRow09FilesThatEverybodyMayWrite: neither a configuration nor a
// file of a key is read that anybody could have written.
func TestLimitsRow09FilesThatEverybodyMayWrite(t *testing.T) {
	dir := t.TempDir()
	key, file := filepath.Join(dir, "key"), filepath.Join(dir, "qmtui.toml")
	write := func(path, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		file, key os.FileMode
		want      bool
	}{{0o600, 0o600, true}, {0o664, 0o640, true}, {0o666, 0o600, false}, {0o600, 0o602, false}} {
		write(key, "secret-of-a-deployment", c.key)
		write(file, "[[deployment]]\nname = 'a'\nurl = 'https://gpu.example'\nkey_file = '"+key+"'\n", c.file)
		cfg, _, err := Load(Options{Path: file, Explicit: true})
		found := false
		for _, p := range ProblemsOf(err) {
			found = found || p.Code == CodeOpen
		}
		if found == c.want || !c.want && len(cfg.Deployments) > 0 && cfg.Deployments[0].Key != "" {
			t.Errorf("%04o and %04o: %v", c.file, c.key, err)
		}
	}
}
