package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What the page tests take from npm: playwright-core drives Chromium, axe-core
// looks whether everybody can use what is shown.
const playwright, axe = "playwright-core@1.56.1", "axe-core@4.11.0"

// browser is what the page tests need beside Go.
type browser struct{ node, chromium, modules string }

// findBrowser skips the test when something is missing.
func findBrowser(t *testing.T) browser {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	b := browser{node: onPath(t, "node"), chromium: onPath(t, "chromium", "chromium-browser", "google-chrome")}
	b.modules = os.Getenv("QMTUI_NODE_MODULES")
	if b.modules == "" {
		b.modules = installModules(t)
	}
	for _, module := range []string{"playwright-core", "axe-core"} {
		if _, err := os.Stat(filepath.Join(b.modules, module)); err != nil {
			t.Skipf("no %s: %v", module, err)
		}
	}
	return b
}

func onPath(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	t.Skipf("no %s on this machine", names[0])
	return ""
}

// installModules installs them once for this machine; playwright-core brings
// no browser of its own.
func installModules(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "qmtui-"+strings.ReplaceAll(playwright+"-"+axe, "@", "-"))
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "axe-core", "package.json")); err == nil {
		return modules
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, onPath(t, "npm"), "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix", dir, playwright, axe)
	if said, err := npm.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install %s and %s: %v: %s", playwright, axe, err, said)
	}
	return modules
}

// play runs a scenario of testdata/page at a site; answer does what it asks
// for. QMTUI_PICTURES names a folder in which the screenshots are kept.
func (b browser) play(t *testing.T, scenario, site string, answer func(ask string) string) {
	t.Helper()
	trouble, err := os.MkdirTemp("", "qmtui-page-")
	check(t, err)
	given, err := json.Marshal(map[string]string{"site": site, "pictures": cmp.Or(os.Getenv("QMTUI_PICTURES"), t.TempDir()),
		"modules": b.modules, "chromium": b.chromium, "trouble": trouble})
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.node, "testdata/page/drive.mjs", "testdata/page/"+scenario, string(given))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	good := converse(t, in, out, answer)
	if err := cmd.Wait(); err != nil || !good {
		t.Fatalf("%s did not come to its end: %v (pictures in %s)", scenario, err, trouble)
	}
	_ = os.RemoveAll(trouble)
}

// converse reports whether the scenario said that all is well.
func converse(t *testing.T, in io.Writer, out io.Reader, answer func(string) string) bool {
	good := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch verb, rest, _ := strings.Cut(lines.Text(), " "); verb {
		case "ok":
			good = true
		case "ask":
			fmt.Fprintln(in, answer(rest))
		case "skip":
			t.Skip(rest)
		default:
			t.Log(rest)
		}
	}
	return good
}
