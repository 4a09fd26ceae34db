package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// lines makes a text of n numbered lines.
func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+"\n", i, i+1)
	}
	return b.String()
}

// TestHostileTofu: files that ask for more time, memory or stack than there is
// are turned down, or what they ask for is not known; the rest is still read.
func TestHostileTofu(t *testing.T) {
	const honest = `
resource "verda_container" "honest" {
  name = "honest"
}
`
	nested := func(open, shut string) string {
		return "locals {\n a = " + strings.Repeat(open, 100_000) + strings.Repeat(shut, 100_000) + "\n}\n"
	}
	for name, c := range map[string]struct{ text, err string }{
		"a local that is itself":        {"locals {\n a = local.a\n}\n", ""},
		"locals that go round":          {"locals {\n a = local.b\n b = \"${local.c}x\"\n c = local.a\n}\n", ""},
		"lists that double":             {"locals {\n a0 = [1]\n" + lines(60, " a%[2]d = [local.a%[1]d, local.a%[1]d, local.a%[1]d]") + "}\n", ""},
		"texts that double":             {"locals {\n a0 = \"xxxxxxxx\"\n" + lines(60, ` a%[2]d = "${local.a%[1]d}${local.a%[1]d}"`) + "}\n", ""},
		"one text of many":              {"locals {\n a = \"" + strings.Repeat("x", 4_000) + "\"\n b = \"" + strings.Repeat("${local.a}", 50_000) + "\"\n}\n", ""},
		"loops in loops":                {"locals {\n r = range(1000)\n a = [for a in local.r : [for b in local.r : [for c in local.r : \"${a}${b}${c}\"]]]\n}\n", ""},
		"a wide format":                 {"locals {\n a = format(\"%999999999d\", 1)\n}\n", ""},
		"a range without end":           {"locals {\n a = range(1e12)\n}\n", ""},
		"a replacement that grows":      {"locals {\n a = \"" + strings.Repeat("x", 4_000) + "\"\n b = replace(local.a, \"\", local.a)\n}\n", ""},
		"functions that read":           {"locals {\n a = file(\"/etc/passwd\")\n b = templatefile(\"/etc/passwd\", {})\n}\n", ""},
		"a billion copies":              {"resource \"verda_container\" \"x\" {\n count = 1000000000\n name = \"x${count.index}\"\n}\n", ""},
		"brackets in brackets":          {nested("(", ")"), "nested more than"},
		"lists in lists":                {nested("[", "]"), "nested more than"},
		"a template in a template":      {"locals {\n a = " + strings.Repeat(`"${`, 50_000) + "1" + strings.Repeat(`}"`, 50_000) + "\n}\n", "nested more than"},
		"a module that calls itself":    {"module \"m\" {\n source = \"./\"\n}\n", "nested more than"},
		"many copies of many resources": {lines(2000, "resource \"verda_container\" \"x%d\" {\n count = 100\n name = \"y%d\"\n}"), "more than 500 deployments"},
		"a file of megabytes":           {strings.Repeat("# "+strings.Repeat("x", 98)+"\n", 20_000), "at most"},
		"not UTF-8":                     {"locals {\n a = \"\xff\xfe\"\n}\n", "read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "main.tf"), c.text+honest)
			found, err := ReadTofu(dir)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
					t.Errorf("the error is %v", err)
				}
				return
			}
			if err != nil || len(found) == 0 || found[0].Name != "honest" {
				t.Errorf("%d found, error %v", len(found), err)
			}
		})
	}
}

// TestHostileTofuInJSON: the other form of the same files.
func TestHostileTofuInJSON(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.tf.json"), `{"locals": {"r": "${range(1000)}", "a": "${[for a in local.r : [for b in local.r : [for c in local.r : c]]]}"},
		"resource": {"verda_container": {"honest": {"name": "honest"}}}}`)
	if found, err := ReadTofu(dir); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
}

// TestHostileTofuFolder: links are followed to plain files only, and nothing
// of a file that is no HCL is told.
func TestHostileTofuFolder(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a link to itself":   func(p string) error { return os.Symlink(filepath.Base(p), p) },
		"a link to a device": func(p string) error { return os.Symlink("/dev/zero", p) },
		"a link to nothing":  func(p string) error { return os.Symlink("/nonexistent/x", p) },
		"a pipe":             func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"a folder": func(p string) error {
			return os.Mkdir(p, 0o700)
		},
		"a link to a secret": func(p string) error {
			secret := filepath.Join(filepath.Dir(p), "secret")
			if err := os.WriteFile(secret, []byte("root:$6$verysecret:20000::\n"), 0o600); err != nil {
				return err
			}
			return os.Symlink(secret, p)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := make(filepath.Join(dir, "main.tf")); err != nil {
				t.Fatal(err)
			}
			found, err := ReadTofu(dir)
			if len(found) != 0 || name != "a folder" && err == nil || err != nil && strings.Contains(err.Error(), "verysecret") {
				t.Errorf("%v, %v", found, err)
			}
		})
	}
}
