package main

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command says what it does and shows how it is used, with its own name.
func TestEveryCommandHasHelp(t *testing.T) {
	root := rootCommand(&app{stdout: &counted{Writer: io.Discard}, stderr: io.Discard})
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: %q is no short help", c.CommandPath(), c.Short)
		}
		if !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s has no example of itself: %q", c.CommandPath(), c.Example)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// The contract's commands are all there.
func TestContractCommands(t *testing.T) {
	root := rootCommand(&app{stdout: &counted{Writer: io.Discard}, stderr: io.Discard})
	for _, line := range []string{"daemon", "demo", "sim", "submit", "jobs list", "jobs show", "jobs cancel", "jobs retry", "jobs priority",
		"queue status", "queue pause", "queue resume", "queue drain", "outputs list", "outputs orphans", "outputs assign", "outputs unassign", "outputs discard",
		"workers list", "workers warm", "workers use", "db backup", "db check", "db compact", "config check", "config show", "config import-env", "version"} {
		c, rest, err := root.Find(strings.Fields(line))
		if err != nil || len(rest) > 0 || c.CommandPath() != "qmtui "+line {
			t.Errorf("%s: %v %v", line, c.CommandPath(), err)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var out strings.Builder
		if code := run(context.Background(), []string{"completion", shell}, strings.NewReader(""), &out, io.Discard); code != 0 || !strings.Contains(out.String(), "qmtui") {
			t.Errorf("%s: code %d, %d bytes", shell, code, out.Len())
		}
	}
}

// A terminal is asked before more than one job is touched; anything but yes is no.
func TestAgreed(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "": false, "yesterday\n": false} {
		a := &app{stdin: strings.NewReader(answer), stdout: &counted{Writer: io.Discard}, stderr: io.Discard}
		if got := a.agreed("go on?"); got != want {
			t.Errorf("%q: %v", answer, got)
		}
	}
}

func TestTarget(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ to, name, want string }{
		{"", "a.png", "a.png"}, {"", "../../etc/passwd", "passwd"}, {dir, "x/a.png", dir + "/a.png"}, {"b.png", "a.png", "b.png"},
	} {
		if got, err := target(c.to, c.name); err != nil || got != c.want {
			t.Errorf("%q %q: %q, %v", c.to, c.name, got, err)
		}
	}
	for _, name := range []string{"", "..", "/", "."} {
		if got, err := target("", name); err == nil {
			t.Errorf("%q became %q", name, got)
		}
	}
}
