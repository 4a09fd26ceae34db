package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/server"
)

// walked are the pages whose code blocks each say how they are tried, in a comment before them:
//
//	<!-- walk: test -->       TestWalkedBlocks runs it, with a manager and temporary folders
//	<!-- walk: machine -->    packaging/walk.sh runs it: root, the package, systemd, nginx ("last": after all others)
//	<!-- walk: home -->       the same, as a user without the service
//	<!-- walk: config -->     TestWalkedBlocks loads it as a configuration
//	<!-- walk: nginx -->      packaging/walk.sh gives it to nginx -t
//	<!-- walk: not, REASON --> nobody does
//
// Words may be combined ("test machine").
var walked = []string{"README.md", "docs/operations.md", "docs/login.md", "docs/nginx.md", "docs/extension.md", "docs/inputs.md", "docs/face.md", "docs/monitoring.md"}

// block is one code block of a page.
type block struct {
	page string
	line int    // of the fence
	walk string // what the comment before it says; empty when there is none
	text string
}

func (b block) is(word string) bool { return slices.Contains(strings.Fields(b.walk), word) }

var walkMark = regexp.MustCompile(`^<!-- walk: (.+) -->$`)

// blocksOf reads the code blocks of a page. An indented one, which can have no mark, is one without.
func blocksOf(page, text string) (out []block) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		switch {
		case strings.HasPrefix(lines[i], "```"):
			b := block{page: page, line: i + 1}
			if m := walkMark.FindStringSubmatch(lines[max(0, i-1)]); m != nil {
				b.walk = m[1]
			}
			for i++; i < len(lines) && !strings.HasPrefix(lines[i], "```"); i++ {
				b.text += lines[i] + "\n"
			}
			out = append(out, b)
		case strings.HasPrefix(lines[i], "    ") && i > 0 && lines[i-1] == "":
			b := block{page: page, line: i + 1}
			for ; i < len(lines) && (strings.HasPrefix(lines[i], "    ") || lines[i] == ""); i++ {
				b.text += lines[i] + "\n"
			}
			out = append(out, b)
		}
	}
	return out
}

// TestWalkedBlocks: every code block of the operators' pages is run, or says why not.
func TestWalkedBlocks(t *testing.T) {
	script := []string{"qmtui() { echo a long password | command qmtui \"$@\"; }"} // for questions
	for _, page := range walked {
		raw, err := os.ReadFile("../../" + page)
		check(t, err)
		for _, b := range blocksOf(page, string(raw)) {
			kind, why, _ := strings.Cut(b.walk, ",")
			known := !slices.ContainsFunc(strings.Fields(kind), func(w string) bool {
				return !slices.Contains([]string{"test", "machine", "last", "home", "config", "nginx", "not"}, w)
			})
			if b.walk == "" || !known || kind == "not" && len(why) < 8 {
				t.Errorf("%s:%d: a code block needs a fence and, in the line before it, how it is tried; see walked in docs_test.go", b.page, b.line)
			}
			if b.is("config") {
				loadsAsConfig(t, b)
			}
			if b.is("test") {
				script = append(script, fmt.Sprintf("echo '== %s:%d'", b.page, b.line), b.text)
			}
		}
	}
	s := openSite(t, func(p *plan) {
		p.config.Auth.Htpasswd = filepath.Join(p.scene.Dir, "htpasswd")
		p.before = func(p plan) {
			check(t, server.PasswordFile{Path: p.config.Auth.Htpasswd, Cost: bcrypt.MinCost}.Add("user001", "a long password"))
		}
	})
	file := filepath.Join(s.scene.Dir, "qmtui.toml")
	check(t, os.WriteFile(file, config.Effective(s.config, config.Source{}), 0o600))
	c := exec.Command("sh", "-eu", "-c", strings.Join(script, "\n")) // TestMain puts qmtui on the path
	c.Dir, c.Env = s.scene.Dir, append(os.Environ(), "QMTUI_CONFIG="+file, "QMTUI_DEPLOYMENT_H200_SPOT_KEY="+s.config.Deployments[0].Key.Reveal())
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func loadsAsConfig(t *testing.T, b block) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "qmtui.toml")
	check(t, os.WriteFile(file, []byte(b.text), 0o600))
	if _, _, err := config.Load(config.Options{Path: file, Explicit: true, Env: []string{}}); err != nil {
		t.Errorf("%s:%d: %v", b.page, b.line, err)
	}
}

var (
	// inlineCommand is a command in a sentence or a table, and typedCommand one in a line of a block.
	inlineCommand = regexp.MustCompile("`(?:sudo )?(qmtui [^`]+)`")
	typedCommand  = regexp.MustCompile(`(?m)(?:^|[ (])(qmtui [a-z-][^|#&>)\n]*)`)
)

// TestCommandsOfThePages: each command that a page names is one, and has the flags that are named with it.
func TestCommandsOfThePages(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	check(t, err)
	for _, page := range append(pages, "../../README.md", "../../packaging/qmtui.toml") {
		raw, err := os.ReadFile(page)
		check(t, err)
		found := inlineCommand.FindAllStringSubmatch(string(raw), -1)
		for _, b := range blocksOf(page, string(raw)) {
			found = append(found, typedCommand.FindAllStringSubmatch(b.text, -1)...)
		}
		for _, m := range found {
			for _, typed := range strings.Split(m[1], " && ") {
				if why := noSuchCommand(strings.Fields(strings.TrimPrefix(typed, "sudo "))); why != "" {
					t.Errorf("%s: %q: %s", filepath.Base(page), typed, why)
				}
			}
		}
	}
}

// noSuchCommand says what is wrong with a typed command; empty when nothing is,
// or when it is no command of qmtui.
func noSuchCommand(words []string) string {
	if len(words) < 2 || words[0] != "qmtui" {
		return ""
	}
	root := rootCommand(&app{stdin: strings.NewReader(""), stdout: &counted{Writer: io.Discard}, stderr: io.Discard})
	c, rest, err := root.Find(words[1:])
	if err != nil {
		return err.Error()
	}
	if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") && c.HasSubCommands() {
		return "no such command"
	}
	for _, w := range rest {
		name, _, _ := strings.Cut(strings.TrimPrefix(w, "--"), "=")
		if strings.HasPrefix(w, "--") && name != "" && name != "help" && c.Flag(name) == nil {
			return "no flag --" + name
		}
	}
	return ""
}
