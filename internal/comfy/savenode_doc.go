package comfy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

//go:generate go run generate.go

const saveNodesHead = `# Save nodes

<!-- Made by "go generate ./internal/comfy" from savenodes.toml. Do not edit. -->

What qmtui knows of node classes that write files. Every node that can gets a folder of its own, ` + "`qm/<prompt id>/<node>/`" + `,
so that no two jobs write the same file and each file has an owner whatever its name is. The table says through which input.

- **folder, prefix, path**: this input gets our folder in front of the user's own text. A *name* beside it stays plain.
- **no folder of its own**: no input leads the files, so the job gets the warning ` + "`no_own_folder`" + ` and runs only while no other job
  writes to the same place. "Worker": it needs an absolute path, and so a worker that says its ` + "`--output-directory`" + `.
- **nothing**: the node saves nothing. A prompt of such nodes alone is refused with ` + "`previews_only`" + ` before it costs anything.

*Metadata* says whether the files carry the prompt, *also writes* which further files a node writes beside each.

A class that is not here is read from what the server declares of it: ` + "`filename_prefix`" + ` and the like lead files, and where
there is a folder beside it (` + "`output_path`" + `, ` + "`custom_path`" + `, ...) the folder does. An output node with some other text input that looks like a
path may write anywhere. An installation adds what it knows to its [configuration](configuration.md), with the same keys:

` + "```toml" + `
[[save_node]]
class = "Gallery Save"
folder = "album"              # or prefix = "...", or none = "shows pictures on the page"
name = "title"
off_when = ["preview = true"]
metadata = false
` + "```" + `

Run ` + "`qmtui config check`" + ` and restart the manager after that. Until a first run on a deployment has shown where a class writes that neither
this page nor the configuration knows, it may write anywhere, and its jobs [take turns](operations.md#jobs-that-take-turns). ` + "`qmtui workers list`" + ` shows what
such runs showed: these classes are worth a ` + "`[[save_node]]`" + `.
`

// SaveNodesReference is docs/save-nodes.md.
func SaveNodesReference() string {
	var b strings.Builder
	b.WriteString(saveNodesHead)
	rows := SaveNodeRows()
	var packs []string
	for _, row := range rows {
		if !slices.Contains(packs, row.Pack) {
			packs = append(packs, row.Pack)
		}
	}
	for _, pack := range packs {
		fmt.Fprintf(&b, "\n## %s\n\n| class | files go | saves nothing when | metadata | also writes |\n|---|---|---|---|---|\n", pack)
		for _, row := range rows {
			if row.Pack == pack {
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", coded(append([]string{row.Class}, row.Same...)...), row.where(),
					coded(row.OffWhen...), row.metadataWord(), strings.Join(row.Sidecars, ", "))
			}
		}
	}
	return b.String()
}

// where says where the files of a row go.
func (n SaveNode) where() string {
	var parts []string
	for _, in := range []struct{ what, input string }{{"folder", n.Folder}, {"prefix", n.Prefix}, {"path", n.Path}, {"name", n.Name}} {
		if in.input != "" {
			parts = append(parts, in.what+" "+coded(in.input))
		}
	}
	if n.Base != "" {
		parts = append(parts, "worker")
	}
	switch {
	case n.None != "":
		return "nothing: it " + n.None
	case n.Elsewhere != "":
		parts = append(parts, "it "+n.Elsewhere)
	case n.Place != nil:
		parts = append(parts, "no folder of its own: "+cmp.Or(coded(strings.Fields(*n.Place)...), "anywhere"))
	}
	return strings.Join(parts, ", ")
}

func (n SaveNode) metadataWord() string {
	switch v := n.Metadata.(type) {
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case string:
		return "as " + coded(v) + " says"
	}
	return ""
}

// coded writes names as code, in a cell of a table.
func coded(names ...string) string {
	var out []string
	for _, name := range names {
		out = append(out, "`"+strings.ReplaceAll(name, "|", `\|`)+"`")
	}
	return strings.Join(out, ", ")
}
