package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/comfyume/qmtui/internal/config"
)

func manCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "man DIR", Short: "Write the man pages into a folder", Args: takes(1, 1, "the DIR"), Hidden: true,
		Long: `Writes a page for each command, and qmtui.toml(5), as "make package" puts them
into its archives. The date is that of $SOURCE_DATE_EPOCH, else today.`,
		Example: "  qmtui man /usr/local/share/man/man1",
		RunE:    func(c *cobra.Command, args []string) error { return writeManPages(c.Root(), args[0]) }}
}

// writeManPages writes qmtui.1, qmtui-jobs-list.1 and so on, and qmtui.toml.5.
func writeManPages(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return unwritable(dir, err)
	}
	root.DisableAutoGenTag = true
	source := "qmtui " + version()
	o := doc.GenManTreeOptions{Path: dir, CommandSeparator: "-", Header: &doc.GenManHeader{Section: "1", Source: source, Manual: "qmtui"}}
	if err := doc.GenManTreeFromOpts(root, o); err != nil {
		return unwritable(dir, err)
	}
	page := filepath.Join(dir, "qmtui.toml.5")
	if err := os.WriteFile(page, md2man.Render([]byte(configurationPage(source))), 0o644); err != nil {
		return unwritable(page, err)
	}
	return nil
}

// What is for readers of Markdown, and how a man page has it.
var (
	htmlComment = regexp.MustCompile(`(?s)<!--.*?-->\n*`)
	heading     = regexp.MustCompile("(?m)^## `?([^`\n]*)`?$")
	tableHead   = regexp.MustCompile(`(?m)^\|[^\n]*\|\n\|---.*\n`)
	settingRow  = regexp.MustCompile("(?m)^\\| `([^`\n]*)` \\| ([^|\n]*) \\| ([^|\n]*) \\| (.*) \\|$")
	nameRow     = regexp.MustCompile("(?m)^\\| `([^`\n]*)` \\| (.*) \\|$")
)

// configurationPage is docs/configuration.md as the source of a man page:
// tables, which are too wide for a terminal, become lists of terms.
func configurationPage(source string) string {
	text := htmlComment.ReplaceAllString(config.Reference(), "")
	text = strings.TrimPrefix(text, "# Configuration\n")
	text = heading.ReplaceAllString(text, "# $1")
	text = tableHead.ReplaceAllString(text, "")
	text = settingRow.ReplaceAllString(text, "`$1` ($2, $3)\n: $4\n")
	text = nameRow.ReplaceAllString(text, "`$1`\n: $2\n")
	return fmt.Sprintf("%% \"QMTUI.TOML\" \"5\" \"\" %q \"qmtui\"\n# NAME\nqmtui.toml \\- configuration of qmtui(1)\n\n# DESCRIPTION\n%s", source, text)
}
