package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/config"
)

// TestManPages: a page for each command that people see, in the words of its
// help, and one with every setting.
func TestManPages(t *testing.T) {
	dir := t.TempDir()
	root := rootCommand(&app{stdout: &counted{Writer: io.Discard}, stderr: io.Discard})
	check(t, writeManPages(root, dir))
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return strings.NewReplacer(`\-`, "-", `\&`, "", `\(aq`, "'").Replace(string(b))
	}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		if page := read(name); !strings.Contains(page, c.Short) || !strings.Contains(page, "EXAMPLE") {
			t.Errorf("%s does not say %q with an example", name, c.Short)
		}
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "help" && sub.Name() != "completion" {
				walk(sub)
			}
		}
	}
	walk(root)
	if _, err := os.Stat(filepath.Join(dir, "qmtui-man.1")); err == nil {
		t.Error("there is a page for the command that only packagers use")
	}
	page := read("qmtui.toml.5")
	for _, line := range strings.Split(config.Reference(), "\n") {
		if key, rest, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` | "); ok && strings.HasPrefix(line, "| `") {
			if !strings.Contains(page, key) {
				t.Errorf("qmtui.toml(5) has no %s (%s)", key, rest)
			}
		}
	}
	if strings.Contains(page, "|") || strings.Contains(page, "<!--") {
		t.Error("Markdown is left in qmtui.toml(5)")
	}
}
